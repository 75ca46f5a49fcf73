"""What a spec admits, and what its digest means."""

import json
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from mmix.spec.data import Data, realisations_of
from mmix.spec.evaluation import (
    FINAL_METRICS,
    HIDDEN_MEASURES,
    METRICS,
    NETWORK_METRICS,
    SPECTRUM_MEASURES,
    Fgsm,
    NormalisedFgsm,
    Pgd,
    attack_metric,
    confidence_metric,
    deformation_metric,
    hidden_metric,
    higher_is_better,
    is_metric,
    pooled_spectrum_metric,
    spectrum_metric,
)
from mmix.spec.experiment import ExperimentSpec, canonical, digest, label
from mmix.spec.mixing import Mixing, layers_of
from mmix.spec.model import Model, last_point
from mmix.spec.problems import problems
from tests.conftest import make_spec

MANIFOLD: dict[str, Any] = {"kind": "manifold_mixup", "alpha": 2.0, "layers": [0, 1]}
MINIMAL: dict[str, Any] = {
    "model": {"kind": "mlp"},
    "data": {"kind": "digits"},
    "mixing": MANIFOLD,
    "training": {"epochs": 3},
}


def _digest(**changes: object) -> str:
    return digest(ExperimentSpec.model_validate({**MINIMAL, **changes}))


def test_the_digest_of_a_known_spec_never_changes() -> None:
    # Leaderboard groups are stored under it: a change here orphans every result that was ever stored.
    assert _digest() == "414390bd27b236c15f670419af59b407119c06fbbbbcb48f8ea8e861592162a8"


@pytest.mark.parametrize(
    "same",
    [
        {"version": 1},
        {"model": {"kind": "mlp", "hidden": [512, 512]}},
        {"data": {"flip": False, "kind": "digits"}},
        {"mixing": {**MANIFOLD, "alpha": 2}},
        {"mixing": {**MANIFOLD, "layers": [1, 0, 1]}},
        {"mixing": {**MANIFOLD, "sharing": "batch", "pairing": "shuffle"}},
        {"training": {"epochs": 3, "batch_size": 100, "optimiser": {"kind": "sgd", "lr": 0.1}}},
        {"training": {"epochs": 3, "schedule": {"kind": "step", "milestones": []}}},
        {"evaluation": {"attacks": [{"kind": "fgsm", "eps": [1, 2, 4, 8]}]}},
    ],
    ids=str,
)
def test_saying_a_default_or_another_order_is_saying_the_same(same: dict[str, object]) -> None:
    assert _digest(**same) == _digest()


@pytest.mark.parametrize(
    "different",
    [
        {"model": {"kind": "mlp", "hidden": [512, 511]}},
        {"data": {"kind": "digits", "flip": True}},
        {"mixing": {**MANIFOLD, "alpha": 2.0000001}},
        {"mixing": {**MANIFOLD, "layers": [1]}},
        {"mixing": {**MANIFOLD, "sharing": "sample"}},
        {"training": {"epochs": 3, "loss": "bce"}},
        {"training": {"epochs": 3, "precision": "bf16"}},
        {"training": {"epochs": 3, "optimiser": {"kind": "sgd", "weight_decay": 0.0}}},
        {"evaluation": {"attacks": []}},
    ],
    ids=str,
)
def test_every_other_difference_is_another_digest(different: dict[str, object]) -> None:
    assert _digest(**different) != _digest()


def test_zero_has_no_sign() -> None:
    plus, minus = (
        _digest(training={"epochs": 3, "optimiser": {"kind": "sgd", "weight_decay": zero}}) for zero in (0.0, -0.0)
    )
    assert plus == minus


@settings(max_examples=60, deadline=None)
@given(
    alpha=st.floats(1e-4, 100),
    layers=st.sets(st.integers(0, 2), min_size=1),
    epochs=st.integers(1, 100_000),
    lr=st.floats(1e-8, 100),
    train_size=st.none() | st.integers(1, 100_000_000),
)
def test_a_spec_survives_its_canonical_form(
    alpha: float, layers: set[int], epochs: int, lr: float, train_size: int | None
) -> None:
    spec = ExperimentSpec.model_validate(
        {
            "model": {"kind": "mlp"},
            "data": {"kind": "digits", "train_size": train_size},
            "mixing": {"kind": "manifold_mixup", "alpha": alpha, "layers": list(layers)},
            "training": {"epochs": epochs, "optimiser": {"kind": "sgd", "lr": lr}},
        }
    )
    again = ExperimentSpec.model_validate(json.loads(json.dumps(canonical(spec))))
    assert (again, digest(again)) == (spec, digest(spec))


def test_a_spec_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        make_spec().training.epochs = 5  # type: ignore[misc]


@pytest.mark.parametrize(
    ("model", "last"),
    [
        ({"kind": "mlp", "hidden": [8, 8, 8]}, 3),
        ({"kind": "convnet"}, 3),
        ({"kind": "preact_resnet"}, 4),
    ],
)
def test_layers_up_to_the_last_mix_point_are_admitted_and_no_further(model: dict[str, Any], last: int) -> None:
    mixing = {"kind": "manifold_mixup", "alpha": 1.0}
    inside = ExperimentSpec.model_validate({**MINIMAL, "model": model, "mixing": {**mixing, "layers": [0, last]}})
    assert (layers_of(inside.mixing), last_point(inside.model)) == ((0, last), last)
    with pytest.raises(ValidationError, match=f"has mix points 0 to {last}"):
        ExperimentSpec.model_validate({**MINIMAL, "model": model, "mixing": {**mixing, "layers": [last + 1]}})


@pytest.mark.parametrize(
    "training",
    [
        {"epochs": 0},
        {"epochs": 3, "batch_size": 1},
        {"epochs": 3, "schedule": {"kind": "step", "milestones": [3]}},
        {"epochs": 3, "schedule": {"kind": "step", "milestones": [2, 1]}},
        {"epochs": 3, "optimiser": {"kind": "sgd", "momentum": 0.0}},
        {"epochs": 3, "optimiser": {"kind": "sgd", "lr": 0}},
        {"epochs": 3, "loss": "mae"},
        {"epochs": 3, "compile": "sometimes"},
        {"epochs": 3, "devices": 0},
        {"epochs": 3, "devices": 2, "groups": 2},
        {"epochs": 3, "sync_batch_norm": True},
        {"epochs": 3, "batch_size": 7, "devices": 4},
        {"epochs": 3, "batch_size": 7, "groups": 4},
    ],
    ids=str,
)
def test_a_training_that_cannot_be_is_refused(training: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        ExperimentSpec.model_validate({**MINIMAL, "training": training})


MANY: dict[str, Any] = {
    "data": {"kind": "gaussian_mixture", "realisations": 3},
    "evaluation": {"attacks": []},
}


def test_many_realisations_are_had_of_points_and_small_networks() -> None:
    spec = ExperimentSpec.model_validate({**MINIMAL, **MANY})
    assert realisations_of(spec.data) == 3
    assert realisations_of(ExperimentSpec.model_validate(MINIMAL).data) == 1


def test_one_realisation_said_is_one_unsaid() -> None:
    unsaid, said = ({**MINIMAL, **MANY, "data": {"kind": "spirals", **more}} for more in ({}, {"realisations": 1}))
    assert digest(ExperimentSpec.model_validate(said)) == digest(ExperimentSpec.model_validate(unsaid))


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"data": {"kind": "digits", "realisations": 3}}, ("data", "realisations")),
        ({"model": {"kind": "bottleneck_mlp"}}, ("model", "kind")),
        ({"training": {"epochs": 3, "devices": 2}}, ("training", "devices")),
        ({"training": {"epochs": 3, "groups": 2}}, ("training", "groups")),
        ({"training": {"epochs": 3, "precision": "fp16"}}, ("training", "precision")),
        ({"evaluation": {"attacks": [], "artifacts": ["logits"]}}, ("evaluation", "artifacts")),
        ({"training": {"epochs": 3, "compile": "on"}}, ("training", "compile")),
        ({"mixing": {**MANIFOLD, "stop_gradient": True}}, ("mixing", "stop_gradient")),
    ],
    ids=str,
)
def test_what_many_networks_cannot_have_is_refused(changes: dict[str, Any], place: tuple[str, ...]) -> None:
    asked = {**MINIMAL, **MANY, **changes}
    with pytest.raises(ValidationError) as refused:
        ExperimentSpec.model_validate(asked)
    (problem,) = problems(refused.value.errors(), asked)
    assert tuple(problem["loc"]) == place


def test_a_label_says_the_method_and_what_is_special_about_it() -> None:
    assert label(make_spec()) == "erm"
    assert label(make_spec(mixing={**MANIFOLD, "sharing": "sample"})) == (
        "manifold_mixup alpha=2 layers=0,1 sharing=sample"
    )


@pytest.mark.parametrize("union", [Mixing, Model, Data], ids=["mixing", "model", "data"])
def test_kinds_are_unique_within_their_union(union: object) -> None:
    members = get_args(get_args(union)[0])
    kinds = [get_args(member.model_fields["kind"].annotation)[0] for member in members]
    assert len(set(kinds)) == len(kinds) >= 3


def test_metric_names_are_a_closed_set() -> None:
    fgsm = Fgsm(kind="fgsm")
    names = [
        *METRICS,
        *FINAL_METRICS,
        *NETWORK_METRICS,
        *(spectrum_metric(measure, 12) for measure in SPECTRUM_MEASURES),
        *(pooled_spectrum_metric(measure, 1) for measure in SPECTRUM_MEASURES),
        *(confidence_metric(point) for point in (0, 1)),
        *(attack_metric(fgsm, eps) for eps in (0, 8, 255)),
        attack_metric(Pgd(kind="pgd", steps=20), 8),
        attack_metric(NormalisedFgsm(kind="fgsm_normalised"), 0.03),
        deformation_metric("rotation", 20),
        deformation_metric("shear", 28.6),
        "ood_auroc@folder:pets",
    ]
    assert names[-5:] == [
        "pgd20_accuracy@pixel:8/255",
        "fgsm_accuracy@normalised:0.03",
        "deform_accuracy@rotation:20",
        "deform_accuracy@shear:28.6",
        "ood_auroc@folder:pets",
    ]
    assert all(map(is_metric, names))
    assert not any(map(is_metric, ("accuracy", "fgsm_accuracy@pixel:256/255", "fgsm_accuracy@pixel:08/255", "")))
    assert not any(map(is_metric, ("spectrum_rank@0", "spectrum_rank", "hidden_width@2", "mixed_confidence@01")))
    assert all(map(higher_is_better, [*names[-5:], *(hidden_metric(measure, 2) for measure in HIDDEN_MEASURES)]))
    assert not any(map(higher_is_better, ("error", "mixed_kl", "forward_backward_passes", "spectrum_rest@1")))


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"mixing": {"kind": "cutmix"}}, ["mixing", "kind"]),
        ({"mixing": {"kind": "cutout"}}, ["mixing", "kind"]),
        ({"model": {"kind": "convnet"}}, ["model", "kind"]),
        ({"evaluation": {}}, ["evaluation", "attacks"]),
        ({"evaluation": {"attacks": [], "ood": [{"kind": "digits"}]}}, ["evaluation", "ood"]),
    ],
    ids=str,
)
def test_what_needs_pixels_is_refused_on_points(changes: dict[str, Any], place: list[str]) -> None:
    points = {**MINIMAL, "data": {"kind": "spirals"}, "mixing": {"kind": "erm"}, "evaluation": {"attacks": []}}
    ExperimentSpec.model_validate(points)
    with pytest.raises(ValidationError) as caught:
        ExperimentSpec.model_validate({**points, **changes})
    assert [problem["loc"] for problem in problems(caught.value.errors(), {**points, **changes})] == [place]


def test_a_remembered_confidence_needs_samples_with_an_index() -> None:
    streamed = {**MINIMAL, "model": {"kind": "preact_resnet"}, "data": {"kind": "imagenet"}}
    ExperimentSpec.model_validate({**streamed, "mixing": {"kind": "confmix"}})
    with pytest.raises(ValidationError, match="imagenet is streamed"):
        ExperimentSpec.model_validate({**streamed, "mixing": {"kind": "confmix", "confidence": "epoch"}})


@pytest.mark.parametrize(
    "alpha",
    [
        0.5,
        {"kind": "rising", "half_life": 25},
        {"kind": "falling", "half_life": 25.0},
        {"kind": "linear", "start": 0, "end": 1},
    ],
    ids=str,
)
def test_alpha_is_a_number_or_a_schedule(alpha: object) -> None:
    spec = ExperimentSpec.model_validate({**MINIMAL, "mixing": {**MANIFOLD, "alpha": alpha}})
    assert canonical(spec)["mixing"]["alpha"] == alpha
