"""Every member of every union has an example, and every example trains."""

from pathlib import Path
from typing import Any, get_args

import pytest

from mmix.run import Finished, Places, Trained, run
from mmix.spec import document
from mmix.spec.data import Data, Digits, GaussianMixture, Images, Points, Spirals
from mmix.spec.evaluation import Attack, Deformation, Noise, is_metric
from mmix.spec.experiment import ExperimentSpec, canonical
from mmix.spec.mixing import ConfMix, CutMix, Erm, Mixing
from mmix.spec.model import Model
from mmix.spec.optimisation import Optimiser, Schedule
from mmix.spec.part import Falling, Linear, Rising
from tests.data.test_every_kind import KINDS

FOLDER = Path(__file__).parents[2] / "examples"
EXAMPLES = sorted({*FOLDER.rglob("*.yaml")} - {*FOLDER.glob("comparisons/*")})  # those are of specs
SPECS = {path.relative_to(path.parents[1]).as_posix(): document.load(path) for path in EXAMPLES}
HERE = {name: spec for name, spec in SPECS.items() if isinstance(spec.data, Digits | GaussianMixture | Spirals)}
MIXED = {name: spec for name, spec in HERE.items() if not isinstance(spec.mixing, Erm)}


def _members(union: object) -> set[type]:
    return set(get_args(get_args(union)[0]))


def _two_steps(spec: ExperimentSpec, **parts: object) -> ExperimentSpec:
    """The example cut to two epochs of one step: what looks back at an epoch has one to look back at."""
    whole: dict[str, Any] = {**canonical(spec), **parts}
    data = {name: value for name, value in whole["data"].items() if name not in {"labels_per_class", "validation_size"}}
    if "test_size" in type(spec.data).model_fields:
        data["test_size"] = 50
    training = {**whole["training"], "epochs": 2, "batch_size": 32}
    training.pop("schedule", None)
    return ExperimentSpec.model_validate(
        {
            **whole,
            "data": {**data, "train_size": 32},
            "training": training,
            "evaluation": {"attacks": []},
        }
    )


def _loss(spec: ExperimentSpec, tmp_path: Path) -> float:
    trained = [
        report for report in run(spec, 0, places=Places(data=tmp_path), threads=1) if isinstance(report, Trained)
    ]
    return trained[-1].metrics["train_loss"]


@pytest.mark.parametrize("name", HERE)
def test_every_example_that_needs_no_files_trains_two_steps(name: str, tmp_path: Path) -> None:
    assert _loss(_two_steps(HERE[name]), tmp_path) > 0


def _in_force(spec: ExperimentSpec) -> dict[str, object]:
    mixing: dict[str, object] = canonical(spec)["mixing"]
    if isinstance(spec.mixing, ConfMix):
        return {**mixing, "warmup_epochs": 0}
    if isinstance(spec.mixing, CutMix):
        return {**mixing, "probability": 1.0}
    return mixing


@pytest.mark.parametrize("name", MIXED)
def test_every_method_changes_the_loss_against_erm_under_one_seed(name: str, tmp_path: Path) -> None:
    mixed = _two_steps(MIXED[name], mixing=_in_force(MIXED[name]))
    assert _loss(mixed, tmp_path) != _loss(_two_steps(MIXED[name], mixing={"kind": "erm"}), tmp_path)


@pytest.mark.parametrize("name", [name for name, spec in MIXED.items() if isinstance(spec.mixing, ConfMix)])
def test_confmix_is_erm_while_it_warms_up(name: str, tmp_path: Path) -> None:
    warm = _two_steps(MIXED[name])
    assert _loss(warm, tmp_path) == _loss(_two_steps(MIXED[name], mixing={"kind": "erm"}), tmp_path)


@pytest.mark.parametrize(
    ("union", "found"),
    [
        (Mixing, {type(spec.mixing) for spec in SPECS.values()}),
        (Model, {type(spec.model) for spec in SPECS.values()}),
        (Data, {type(spec.data) for spec in SPECS.values()}),
        (Optimiser, {type(spec.training.optimiser) for spec in SPECS.values()}),
        (Schedule, {type(spec.training.schedule) for spec in SPECS.values()}),
        (Attack, {type(attack) for spec in SPECS.values() for attack in spec.evaluation.attacks}),
    ],
    ids=["mixing", "model", "data", "optimiser", "schedule", "attack"],
)
def test_every_member_of_a_union_has_an_example(union: object, found: set[type]) -> None:
    assert _members(union) == found


def test_every_choice_within_a_part_has_an_example() -> None:
    alphas = {type(getattr(spec.mixing, "alpha", 1.0)) for spec in SPECS.values()}
    assert alphas >= {float, Rising, Falling, Linear}
    deformations = {each.kind for spec in SPECS.values() for each in spec.evaluation.deformations}
    assert deformations == set(get_args(Deformation.model_fields["kind"].annotation))
    noises = {each.kind for spec in SPECS.values() for each in spec.evaluation.ood if isinstance(each, Noise)}
    assert noises == set(get_args(Noise.model_fields["kind"].annotation))


@pytest.mark.parametrize("name", [name for name in HERE if name.startswith("evaluation/")])
def test_everything_at_once_is_measured_under_known_names(name: str, tmp_path: Path) -> None:
    spec = HERE[name].model_copy(update={"training": HERE[name].training.model_copy(update={"epochs": 1})})
    *_, finished = run(spec, 0, places=Places(data=tmp_path, artifacts=tmp_path / "artifacts"), threads=1)
    assert isinstance(finished, Finished)
    assert all(map(is_metric, finished.results["last"]))
    assert {path.name for path in (tmp_path / "artifacts").iterdir()} == set(finished.provenance["artifacts"])  # type: ignore[arg-type]
    assert len(finished.provenance["artifacts"]) == len(spec.evaluation.artifacts)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_data_trains_two_steps_on_a_small_copy(kind: str, data_folder: Path) -> None:
    whole = canonical(SPECS[f"data/{kind}.yaml"])
    shrinking = {"train_size", "labels_per_class", "validation_size", "label_noise"}
    data = {name: value for name, value in whole["data"].items() if name not in shrinking}
    small = {"name": "pets"} if kind == "folder" else {"side": 32} if kind == "imagenet" else {}
    spec = ExperimentSpec.model_validate(
        {
            "model": {"kind": "mlp", "hidden": [3]},
            "data": {**data, **small},
            "mixing": {"kind": "manifold_mixup", "alpha": 1.0, "layers": [0, 1]},
            "training": {"epochs": 2, "batch_size": 5000},
            "evaluation": {"attacks": [], "artifacts": ["hidden", "mixing_loss"]},
        }
    )
    *_, finished = run(spec, 0, places=Places(data=data_folder), threads=1)
    assert isinstance(finished, Finished)
    assert 0 <= finished.results["last"]["error"] <= 1
    assert {"mixed_kl", "mixed_confidence@0", "hidden_scatter@1", "hidden_entropy@1"} <= set(finished.results["last"])
    assert len(str(finished.provenance["data_checksum"])) == 64


def test_images_and_points_are_all_there_is() -> None:
    assert _members(Data) == {*get_args(Images), *get_args(Points)}
