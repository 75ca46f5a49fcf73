"""What is asked of a comparison is checked whole: before anything is stored, and with the places of what is wrong."""

from typing import Any

import pytest
from pydantic import ValidationError

from mmix.spec.comparison import ComparisonSpec
from mmix.spec.experiment import ExperimentSpec, canonical, digest
from mmix.spec.measures import measured
from mmix.spec.problems import Problem, problems
from tests.conftest import make_spec

BASE = canonical(make_spec(mixing={"kind": "manifold_mixup", "alpha": 1.0, "layers": [0]}))
ERM = {"name": "erm", "replace": {"mixing": {"kind": "erm"}}}
MIXED = {"name": "mixed"}


def _document(**changes: object) -> dict[str, Any]:
    return {"name": "a", "base": BASE, "arms": [ERM, MIXED], "seeds": [0, 1], "baseline": "erm", **changes}


def _asked(**changes: object) -> ComparisonSpec:
    return ComparisonSpec.model_validate(_document(**changes))


def _refused(**changes: object) -> list[Problem]:
    document = _document(**changes)
    with pytest.raises(ValidationError) as refusal:
        ComparisonSpec.model_validate(document)
    return problems(refusal.value.errors(), document)


def test_an_arm_is_the_base_with_whole_parts_replaced() -> None:
    erm, mixed = _asked().entrants
    assert (erm.name, erm.spec) == ("erm", make_spec())
    assert (mixed.name, mixed.spec) == ("mixed", ExperimentSpec.model_validate(BASE))
    assert (erm.digest, mixed.digest) == (digest(erm.spec), digest(mixed.spec))


def test_a_grid_makes_an_arm_of_each_combination_and_names_it_after_its_values() -> None:
    asked = _asked(arms=[ERM], grid={"mixing.alpha": [0.5, 2.0], "mixing.layers": [[0], [0, 1]]})
    assert [entrant.name for entrant in asked.entrants] == [
        "erm",
        "alpha=0.5 layers=[0]",
        "alpha=0.5 layers=[0,1]",
        "alpha=2.0 layers=[0]",
        "alpha=2.0 layers=[0,1]",
    ]
    last = asked.entrants[-1].spec
    assert last == make_spec(mixing={"kind": "manifold_mixup", "alpha": 2.0, "layers": [0, 1]})


def test_a_grid_may_list_whole_parts_and_reaches_fields_that_the_base_leaves_to_their_default() -> None:
    methods = [{"kind": "erm"}, {"kind": "input_mixup", "alpha": 1.0}]
    asked = _asked(arms=[], grid={"mixing": methods, "training.optimiser.lr": [0.1, 0.2]}, baseline="erm lr=0.1")
    assert [entrant.name for entrant in asked.entrants] == [
        "erm lr=0.1",
        "erm lr=0.2",
        "input_mixup alpha=1.0 lr=0.1",
        "input_mixup alpha=1.0 lr=0.2",
    ]
    assert asked.entrants[0].spec == make_spec()


ERM_LONGER = {"name": "erm", "replace": {"mixing": {"kind": "erm"}, "training": {"epochs": 3}}}
ALPHAS = [0.01 + step / 100 for step in range(501)]
REFUSED: list[tuple[str, dict[str, object], list[str | int], str, str]] = [
    ("two names", {"arms": [ERM, {**MIXED, "name": "erm"}]}, ["arms", 1, "name"], "'erm'", "names that differ"),
    ("equal arms", {"arms": [ERM, MIXED, {"name": "b"}]}, ["arms", 2], "mixed, b", "arms that differ"),
    ("unknown baseline", {"baseline": "ERM"}, ["baseline"], "'ERM'", "erm, mixed"),
    ("doubled seeds", {"seeds": [0, 1, 1]}, ["seeds"], "[1]", "seeds that differ"),
    ("no arm", {"arms": []}, ["arms"], "no arm", "arms, a grid or both"),
    ("too many runs", {"seeds": list(range(501))}, ["arms"], "2 arms over 501 seeds, 1002 runs", "at most 1000 runs"),
    ("too large a grid", {"grid": {"mixing.alpha": ALPHAS}}, ["grid"], "503 arms over 2 seeds, 1006 runs", "1000"),
    ("a huge grid", {"grid": dict.fromkeys(["mixing.alpha", "mixing.layers"], [1] * 1000)}, ["grid"], "2000004", ""),
    (
        "no such place",
        {"grid": {"mixing.alpah": [1.0]}},
        ["grid", "mixing.alpah"],
        "'mixing.alpah'",
        "kind, alpha, lay",
    ),
    ("no such part", {"grid": {"mixin": [1.0]}}, ["grid", "mixin"], "'mixin'", "model, data, mixing, training, eval"),
    ("no such value", {"grid": {"mixing.alpha": [1.0, -1.0]}}, ["grid", "mixing.alpha"], "-1.0", "at least 0.0001"),
    ("a bad layer", {"grid": {"mixing.layers": [[0, 7]]}}, ["grid", "mixing.layers"], "[0, 7]", "0 to 1"),
    (
        "no part of a spec",
        {"arms": [ERM, {"name": "b", "replace": {"seed": 3}}]},
        ["arms", 1, "replace", "seed"],
        "",
        "",
    ),
    (
        "a bad arm",
        {"arms": [ERM, {"name": "b", "replace": {"mixing": {"kind": "input_mixup", "alpha": 0}}}]},
        ["arms", 1, "replace", "mixing", "alpha"],
        "0",
        "at least 0.0001",
    ),
    (
        "arms that don't fit the base",
        {"arms": [ERM, {"name": "b", "replace": {"mixing": {**BASE["mixing"], "layers": [2]}}}]},
        ["arms", 1, "replace", "mixing", "layers"],
        "[2]",
        "0 to 1",
    ),
    ("a bad base", {"base": {**BASE, "data": {"kind": "digit"}}}, ["base", "data", "kind"], "'digit'", "'digits'"),
    (
        "another budget",
        {"arms": [ERM_LONGER, MIXED]},
        ["arms", 1, "replace", "training", "epochs"],
        "2",
        "allow_unlike",
    ),
    ("unknown metric", {"metric": "eror"}, ["metric"], "'eror'", "error, nll, brier"),
    ("unmeasured eps", {"metric": "fgsm_accuracy@pixel:4/255"}, ["metric"], "4/255", "fgsm_accuracy@pixel:8/255"),
    ("unmeasured data", {"metric": "ood_auroc@svhn"}, ["metric"], "'ood_auroc@svhn'", "error, nll"),
    ("without a validation split", {"metric": "nll_tempered"}, ["metric"], "'nll_tempered'", "error, nll"),
    ("nothing to find", {"smallest_difference": 0.0}, ["smallest_difference"], "0.0", "above 0"),
    ("a nameless arm", {"arms": [ERM, {"name": " "}]}, ["arms", 1, "name"], "' '", ""),
]


@pytest.mark.parametrize(
    ("changes", "place", "given", "allowed"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED]
)
def test_what_is_wrong_is_refused_at_its_place_with_what_was_given_and_what_is_allowed(
    changes: dict[str, object], place: list[str | int], given: str, allowed: str
) -> None:
    found = {tuple(problem["loc"]): problem for problem in _refused(**changes)}
    assert tuple(place) in found
    assert given in (found[tuple(place)]["given"] or "")
    assert allowed in (found[tuple(place)]["allowed"] or "")


UNLIKE: list[tuple[str, dict[str, object]]] = [
    ("data.train_size", {"data": {"kind": "digits", "train_size": 100}}),
    ("data.label_noise", {"data": {"kind": "digits", "label_noise": 0.2}}),
    ("data.crop_padding", {"data": {"kind": "digits", "crop_padding": 1}}),
    ("data.kind", {"data": {"kind": "mnist"}}),
    ("training.epochs", {"training": {"epochs": 3}}),
    ("training.batch_size", {"training": {"epochs": 2, "batch_size": 50}}),
    ("training.precision", {"training": {"epochs": 2, "precision": "bf16"}}),
    ("training.devices", {"training": {"epochs": 2, "devices": 2}}),
]


@pytest.mark.parametrize(("place", "parts"), UNLIKE, ids=[place for place, _ in UNLIKE])
def test_arms_that_differ_in_data_or_budget_are_refused_or_marked(place: str, parts: dict[str, object]) -> None:
    other = {"name": "other", "replace": {"mixing": {"kind": "erm"}, **parts}}
    (problem,) = _refused(arms=[ERM, other])
    assert problem["loc"] == ["arms", 1, "replace", *place.split(".")]
    assert "or allow_unlike: true" in str(problem["allowed"])
    assert _asked(arms=[ERM, other], allow_unlike=True).unlike == (place,)


def test_arms_may_differ_in_all_that_is_no_data_and_no_budget() -> None:
    replaced = {
        "model": {"kind": "convnet"},
        "mixing": {"kind": "cutmix"},
        "training": {"epochs": 2, "loss": "bce", "optimiser": {"kind": "adam"}},
    }
    assert _asked(arms=[ERM, {"name": "other", "replace": replaced}]).unlike == ()


def test_every_metric_that_an_evaluation_asks_for_is_measured() -> None:
    spec = make_spec(
        data={"kind": "digits", "validation_size": 100},
        evaluation={
            "attacks": [{"kind": "pgd", "eps": [2]}, {"kind": "fgsm_normalised", "eps": [0.03]}],
            "deformations": [{"kind": "rotation", "amounts": [20.0]}],
            "ood": [{"kind": "svhn"}, {"kind": "uniform_noise"}],
        },
    )
    assert set(measured(spec)) >= {
        "error",
        "nll_tempered",
        "top5_error",
        "pgd20_accuracy@pixel:2/255",
        "fgsm_accuracy@normalised:0.03",
        "deform_accuracy@rotation:20",
        "ood_auroc@svhn",
        "ood_auroc@uniform_noise",
        "forward_backward_passes",
        "device_seconds",
    }
    assert "excess_risk" not in measured(spec)
