"""What the API tells of suites, and what their comparisons have come to."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, Self

from pydantic import BaseModel
from sqlalchemy.orm import Session

from api.samples import Source, gather
from mmix.spec.data import preparation
from mmix.spec.experiment import ExperimentSpec
from mmix.store import comparisons, findings
from mmix.store.comparisons import ComparisonView
from mmix.store.sessions import Sessions
from mmix.store.states import TERMINAL
from mmix.suites.claims import DOCUMENTS, Claim, of_suite
from mmix.suites.evidence import Measured
from mmix.suites.study import BUDGETS, Budget, Preset, Study, runs, tags
from mmix.suites.suite import Suite


class SuiteLine(BaseModel):
    """A suite in one line, with how many runs each budget has."""

    name: str
    version: int
    summary: str
    source: str
    runs: dict[Budget, int]
    claims: int

    @classmethod
    def of(cls, suite: Suite) -> Self:
        """The answer for this suite."""
        return cls(
            name=suite.name,
            version=suite.version,
            summary=suite.summary,
            source=suite.source,
            runs={budget: runs(suite.chosen(budget)) for budget in BUDGETS},
            claims=len(of_suite(suite.name)),
        )


class Suites(BaseModel):
    """All suites."""

    items: list[SuiteLine]


class DataNeed(BaseModel):
    """A data set that a study needs, how to bring it to a machine, and whether a live worker has it."""

    name: str
    preparation: str
    at_a_worker: bool


class StudyAnswer(BaseModel):
    """One comparison of a suite; `arms` are the parts of `base` that each replaces."""

    name: str
    preset: Preset
    base: dict[str, Any]
    arms: dict[str, dict[str, Any]]
    baseline: str
    metrics: list[str]
    seeds: list[int]
    smallest_difference: float | None
    needs: list[DataNeed]

    @classmethod
    def of(cls, study: Study, *, there: set[str]) -> Self:
        """The answer for this study; there: the data sets at live workers."""
        return cls(
            name=study.name,
            preset=study.preset,
            base=study.base,
            arms=dict(study.arms),
            baseline=study.baseline,
            metrics=list(study.metrics),
            seeds=list(study.seeds),
            smallest_difference=study.smallest_difference,
            needs=[
                DataNeed(name=name, preparation=preparation(name), at_a_worker=name in there) for name in study.needs()
            ],
        )


class Place(BaseModel):
    """Where a document says it."""

    document: str
    place: str


class ClaimAnswer(BaseModel):
    """A claim in our words."""

    id: str
    says: str
    places: list[Place]

    @classmethod
    def of(cls, claim: Claim) -> Self:
        """The answer for this claim."""
        places = [Place(document=DOCUMENTS[document], place=place) for document, place in claim.places]
        return cls(id=claim.id, says=claim.says, places=places)


class SuiteAnswer(SuiteLine):
    """A suite with its studies by budget, and the claims that it decides."""

    budgets: dict[Budget, list[StudyAnswer]]
    decides: list[ClaimAnswer]

    @classmethod
    def whole(cls, suite: Suite, *, there: set[str]) -> Self:
        """The answer for this suite; there: the data sets at live workers."""
        return cls(
            **SuiteLine.of(suite).model_dump(),
            budgets={
                budget: [StudyAnswer.of(study, there=there) for study in suite.studies(budget)] for budget in BUDGETS
            },
            decides=[ClaimAnswer.of(claim) for claim in of_suite(suite.name)],
        )


class JudgedClaim(ClaimAnswer):
    """A claim with its verdict, and what that rests on."""

    verdict: Literal["reproduced", "not reproduced", "not resolved", "not run"]
    evidence: str


class SuiteTable(BaseModel):
    """What was measured at a budget, by the newest comparison of each study, beside what was published.

    A row is an arm of a study by a metric: n, mean, std, interval, the difference from the baseline with its verdict,
    and `published` figures, each with its z where the data are the same. Values are in the metrics' units.
    """

    suite: str
    version: int
    summary: str
    source: str
    budget: Budget
    studies: list[dict[str, Any]]
    rows: list[dict[str, Any]]
    claims: list[JudgedClaim]


def measured(sessions: Sessions, root: str, *, owner: str, suite: Suite, budget: Budget) -> dict[str, Measured]:
    """The newest comparison of each study that has one.

    Raises: StorageError
    """
    found: dict[str, Measured] = {}
    for study in suite.studies(budget):
        with sessions.begin() as session:
            view = _newest(session, owner=owner, name=f"{suite.name}/{study.name}", tagged=tags(suite.name, budget))
            rows = {} if view is None else {name: _findings(session, view, name) for name in study.metrics}
        if view is not None:
            sources = {metric: Source(metric, each, root) for metric, each in rows.items()}
            found[study.name] = _measured(view, sources)
    return found


def _newest(session: Session, *, owner: str, name: str, tagged: Sequence[str]) -> ComparisonView | None:
    page = comparisons.page(session, owner=owner, name=name, tags=tagged, before=None, limit=1)
    return None if not page else comparisons.get(session, owner=owner, comparison_id=page[0].id)


def _findings(session: Session, view: ComparisonView, metric: str) -> dict[Any, findings.Finding]:
    succeeded = [run.id for arm in view.arms for run in arm.runs if run.state == "succeeded"]
    return findings.look_up(session, run_ids=succeeded, metric=metric)


def _measured(view: ComparisonView, sources: Mapping[str, Source]) -> Measured:
    states = [run.state for arm in view.arms for run in arm.runs]
    summary = view.summary
    return Measured(
        arms={metric: tuple(gather(view, source)) for metric, source in sources.items()},
        specs={arm.name: ExperimentSpec.model_validate(arm.spec) for arm in view.arms},
        baseline=summary.baseline,
        smallest_difference=summary.smallest_difference,
        ended=sum(state in TERMINAL for state in states),
        runs=len(states),
        failed=sum(state in TERMINAL and state != "succeeded" for state in states),
        comparison=str(summary.id),
    )
