import pytest

from mmix.suites.catalogue import SUITES, find
from mmix.suites.claims import CLAIMS, DOCUMENTS, Claim, of_suite
from mmix.suites.decisions import Better, NotRun, Published, Within
from mmix.suites.evidence import Evidence
from mmix.suites.judge import arms_and_metrics, decide
from mmix.suites.study import BUDGETS
from mmix.suites.words import Word, together
from tests.suites import made_up

MEASURABLE = [claim for claim in CLAIMS if not isinstance(claim.decision, made_up.UNDECIDED)]
PUBLISHED = [claim for claim in CLAIMS if isinstance(claim.decision, Published)]
UNRUN = [claim for claim in CLAIMS if isinstance(claim.decision, NotRun)]


def _id(claim: Claim) -> str:
    return claim.id


@pytest.mark.parametrize("claim", MEASURABLE, ids=_id)
def test_a_claim_is_reproduced_by_values_that_say_so_and_not_by_their_opposite(claim: Claim) -> None:
    assert not isinstance(claim.decision, made_up.UNDECIDED)
    found = {yes: decide(claim.decision, made_up.evidence(claim.decision, yes=yes), ()) for yes in (True, False)}
    assert found[True].word == "reproduced", found[True].evidence
    assert found[False].word == "not reproduced", found[False].evidence


@pytest.mark.parametrize("claim", PUBLISHED, ids=_id)
def test_a_published_table_is_reproduced_by_its_figures_and_not_by_others(claim: Claim) -> None:
    assert isinstance(claim.decision, Published)
    found = {yes: decide(claim.decision, *made_up.published(claim, claim.decision, yes=yes)) for yes in (True, False)}
    assert found[True].word == "reproduced", found[True].evidence
    assert found[False].word == "not reproduced", found[False].evidence


@pytest.mark.parametrize("claim", UNRUN, ids=_id)
def test_a_claim_that_no_suite_decides_says_why(claim: Claim) -> None:
    assert isinstance(claim.decision, NotRun)
    assert len(claim.decision.why) > 20
    assert decide(claim.decision, Evidence(), ()).word == "not run"


@pytest.mark.parametrize("claim", MEASURABLE, ids=_id)
def test_some_study_of_its_suite_has_what_a_claim_asks_for(claim: Claim) -> None:
    assert not isinstance(claim.decision, made_up.UNDECIDED)
    suite = find(claim.suite)
    arms, metrics = arms_and_metrics(claim.decision)
    able = {
        study.name
        for budget in BUDGETS
        for study in suite.studies(budget)
        if set(arms) <= set(study.arms) and set(metrics) <= set(study.metrics)
    }
    pools = {name for name, studies in suite.pools.items() if set(studies) <= able}
    assert able
    assert set(claim.decision.studies) <= able | pools


@pytest.mark.parametrize("claim", MEASURABLE, ids=_id)
def test_what_was_not_measured_or_has_not_ended_is_not_run(claim: Claim) -> None:
    assert not isinstance(claim.decision, made_up.UNDECIDED)
    under_way = decide(claim.decision, made_up.evidence(claim.decision, yes=True, ended=3), ())
    assert decide(claim.decision, Evidence(), ()).word == "not run"
    assert (under_way.word, under_way.evidence) == ("not run", "3 of 40 runs have ended")


def test_every_suite_decides_something_and_every_document_is_heard() -> None:
    assert [suite.name for suite in SUITES if not of_suite(suite.name)] == ["digits"]  # there is no paper on it
    assert {document for claim in CLAIMS for document, _ in claim.places} == set(DOCUMENTS)


def test_claims_are_told_apart_and_belong_to_suites_that_exist() -> None:
    assert len({claim.id for claim in CLAIMS}) == len(CLAIMS)
    assert {claim.suite for claim in CLAIMS} <= {suite.name for suite in SUITES}


YES: Word = "reproduced"
NO: Word = "not reproduced"
OPEN: Word = "not resolved"


@pytest.mark.parametrize(
    ("words", "word"),
    [([YES, YES, YES, YES, NO], YES), ([YES, YES, YES, NO, NO], NO), ([YES, YES, YES, OPEN, NO], OPEN)],
)
def test_of_four_in_five_one_may_say_otherwise(words: list[Word], word: Word) -> None:
    assert together(words, needed=4) == word


def test_studies_that_contradict_each_other_reproduce_nothing() -> None:
    decision = Better((("manifold", "erm"),), ("error",))
    for_it, against_it = (made_up.evidence(decision, yes=yes).studies["study"] for yes in (True, False))
    assert decide(decision, Evidence({"one": for_it, "other": against_it}), ()).word == "not reproduced"


def test_an_interval_across_the_bound_resolves_nothing() -> None:
    evidence = made_up.evidence(Within("erm", "error", high=0.1), yes=True)
    assert decide(Within("erm", "error", high=0.05), evidence, ()).word == "not resolved"


def test_the_evidence_has_words_numbers_and_how_many_there_were() -> None:
    decision = Better((("manifold", "erm"),), ("error",))
    told = decide(decision, made_up.evidence(decision, yes=True), ()).evidence
    assert told.startswith("study: error of manifold - erm -0.0")
    assert told.endswith("better (n 40)")
