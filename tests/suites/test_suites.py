from typing import get_args

import pytest

from mmix.errors import NotFound, SpecError
from mmix.spec.comparison import ComparisonSpec
from mmix.spec.measures import measured
from mmix.spec.mixing import Mixing
from mmix.suites import study as studies
from mmix.suites.catalogue import SUITES, find
from mmix.suites.study import BUDGETS, Budget, Study
from mmix.suites.suite import Suite

KINDS = [get_args(member.model_fields["kind"].annotation)[0] for member in get_args(get_args(Mixing)[0])]
ALL = [
    pytest.param(suite, budget, study, id=f"{suite.name}-{budget}-{study.name}")
    for suite in SUITES
    for budget in BUDGETS
    for study in suite.studies(budget)
]


def _asked(suite: Suite, budget: Budget, study: Study) -> ComparisonSpec:
    body = studies.body(study, suite=suite.name, budget=budget)
    return ComparisonSpec.model_validate({name: value for name, value in body.items() if name != "tags"})


@pytest.mark.parametrize(("suite", "budget", "study"), ALL)
def test_every_study_is_a_comparison_whose_arms_are_its_specs(suite: Suite, budget: Budget, study: Study) -> None:
    asked = _asked(suite, budget, study)
    assert {entrant.name: entrant.spec for entrant in asked.entrants} == study.specs()
    assert asked.baseline == study.baseline


@pytest.mark.parametrize(("suite", "budget", "study"), ALL)
def test_every_metric_of_a_study_is_measured_by_some_arm(suite: Suite, budget: Budget, study: Study) -> None:
    known = {metric for spec in study.specs().values() for metric in measured(spec)}
    assert set(study.metrics) <= known


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("budget", BUDGETS)
def test_digits_has_an_arm_for_every_mixing_kind(budget: Budget, kind: str) -> None:
    (study,) = find("digits").studies(budget)
    assert kind in {spec.mixing.kind for spec in study.specs().values()}
    assert study.baseline == "erm"


def test_the_suites_are_those_that_were_promised() -> None:
    assert [suite.name for suite in SUITES] == [
        "digits", "verma-cifar10", "verma-cifar100", "verma-svhn", "verma-tiny-imagenet", "verma-deformations",
        "verma-layers", "verma-alpha", "verma-fgsm", "verma-spectrum", "verma-hidden-space", "verma-dimension",
        "confmix-toy", "confmix-cifar10", "confmix-spiral", "few-labels", "ood",
    ]  # fmt: skip


@pytest.mark.parametrize("suite", SUITES, ids=lambda suite: suite.name)
def test_names_of_studies_are_told_apart_and_pools_hold_studies(suite: Suite) -> None:
    for budget in BUDGETS:
        names = [study.name for study in suite.studies(budget)]
        assert len(set(names)) == len(names)
        assert not set(names) & suite.pools.keys()
        assert {name for pool in suite.pools.values() for name in pool} <= set(names)


@pytest.mark.parametrize(
    "name", ["digits", "verma-spectrum", "verma-hidden-space", "verma-dimension", "few-labels", "ood", "confmix-toy"]
)
def test_what_every_machine_can_run_needs_no_data_when_quick(name: str) -> None:
    assert [study.needs() for study in find(name).studies("quick") if study.needs()] == []


@pytest.mark.parametrize("suite", SUITES, ids=lambda suite: suite.name)
def test_quick_takes_few_images_of_what_lies_on_disks(suite: Suite) -> None:
    sizes = [
        spec.data.train_size or 0
        for study in suite.studies("quick")
        for spec in study.specs().values()
        if study.needs()
    ]
    assert all(0 < size <= 10_000 for size in sizes)


def test_one_study_has_one_key_and_another_version_another_one() -> None:
    (study,) = find("digits").studies("quick")
    body = studies.body(study, suite="digits", budget="quick")
    assert studies.key(body, version=1) == studies.key(body, version=1)
    more = studies.body(study.seeded(3), suite="digits", budget="quick")
    longer = studies.body(study, suite="digits", budget="standard")
    keys = [studies.key(body, version=2), studies.key(more, version=1), studies.key(longer, version=1)]
    assert len({studies.key(body, version=1), *keys}) == 4


def test_studies_are_chosen_by_preset_or_by_name() -> None:
    suite = find("verma-cifar10")
    by_preset = {preset: [study.name for study in suite.chosen("paper", preset=preset)] for preset in studies.PRESETS}
    assert by_preset == {
        "paper": ["preact18", "preact34", "wrn28", "peers"],
        "readme": ["preact18-readme"],
        "code": ["preact18-code", "wrn28-code"],
    }
    assert [study.name for study in suite.chosen("paper", names=["wrn28-code"])] == ["wrn28-code"]


def test_what_is_not_there_is_named_with_what_is() -> None:
    with pytest.raises(NotFound, match=r"no suite 'digit' \(did you mean digits\?\); allowed: digits, verma-cifar10"):
        find("digit")
    with pytest.raises(SpecError, match="verma-cifar10 has no study 'wrn28' at the budget quick; allowed: preact18, p"):
        find("verma-cifar10").chosen("quick", names=["wrn28"])
    with pytest.raises(SpecError, match="digits has no preset 'code' at the budget quick; allowed: paper"):
        find("digits").chosen("quick", preset="code")
