import json
import math
import time
from collections.abc import Mapping
from pathlib import Path
from statistics import mean
from typing import Any

import pytest
import safetensors.torch
import torch
import yaml
from safetensors import safe_open
from torch import nn

from mmix.data.dataset import Dataset
from mmix.data.digits import digits
from mmix.data.load import load
from mmix.errors import SpecError
from mmix.evaluation import artifacts
from mmix.evaluation.assess import Assessment, assess
from mmix.evaluation.calibration import equal_mass, equal_width
from mmix.evaluation.metrics import metrics, top5_error
from mmix.evaluation.predict import predict
from mmix.models.build import build
from mmix.spec.evaluation import FINAL_METRICS, GRADIENT_METRICS, MASKING, SPECTRUM_MEASURES, is_metric
from mmix.spec.experiment import ExperimentSpec
from tests.conftest import make_spec

EXAMPLES = Path(__file__).parents[2] / "examples" / "evaluation"
NOWHERE = Path("/nonexistent")
POINTS = {"data": {"kind": "gaussian_mixture", "test_size": 200}, "evaluation": {"attacks": []}}
RISKS = {"bayes_risk", "excess_risk", "relative_excess_risk", "mmlb", "normalised_mmlb"}


def example(name: str) -> ExperimentSpec:
    return ExperimentSpec.model_validate(yaml.safe_load((EXAMPLES / name).read_text()))


def prepared(spec: ExperimentSpec) -> tuple[nn.Module, Dataset]:
    data = load(spec.data, NOWHERE)
    return build(spec.model, shape=data.shape, classes=len(data.classes), seed=0), data


def assessed(spec: ExperimentSpec, folder: Path | None = None, *, seed: int = 0) -> Assessment:
    model, data = prepared(spec)
    return assess(model, data, spec, seed=seed, strange={}, folder=folder)


def asking(artifact: str, **changes: object) -> ExperimentSpec:
    return make_spec(**{**changes, "evaluation": {"attacks": [], "artifacts": [artifact]}})


def read(path: Path) -> Mapping[str, object]:
    found: Mapping[str, object] = json.loads(path.read_bytes())
    return found


@pytest.mark.parametrize("name", sorted(path.name for path in EXAMPLES.glob("*.yaml")))
def test_every_example_gives_metrics_by_names_that_may_be_stored(name: str, tmp_path: Path) -> None:
    spec = example(name)
    start = time.process_time()
    found = assessed(spec, tmp_path)
    assert time.process_time() - start < 10  # half a second, and two for the first import of torchmetrics
    assert all(map(is_metric, found.results))
    assert all(isinstance(value, float) for value in found.results.values())
    json.dumps(found.diagnostics, allow_nan=False)
    assert {path.stem for path in found.written} == set(spec.evaluation.artifacts)


def test_everything_that_digits_admit_is_measured() -> None:
    spec = example("digits-everything.yaml")
    found = assessed(spec).results
    assert set(FINAL_METRICS) & set(found) == set(FINAL_METRICS) - RISKS
    assert len([name for name in found if name.startswith("deform_accuracy@")]) == 17
    assert {"ood_auroc@uniform_noise", "ood_auroc@gaussian_noise"} <= set(found)
    assert {"pgd20_accuracy@pixel:8/255", "fgsm_accuracy@normalised:0.03"} <= set(found)


def test_points_have_risks_and_neither_pixels_nor_a_fifth_class() -> None:
    found = assessed(make_spec(**POINTS))
    assert set(found.results) == {"ece", "ece_mass", *RISKS, *GRADIENT_METRICS}
    assert set(found.diagnostics) == set(GRADIENT_METRICS)


def test_the_bound_is_the_data_set_s_and_not_the_run_s() -> None:
    one, other = (assessed(make_spec(**POINTS), seed=seed).results for seed in (0, 1))
    assert one == other


def test_no_temperature_without_a_validation_split() -> None:
    found = assessed(make_spec(evaluation={"attacks": []}))
    assert "nll_tempered" not in found.results
    assert "temperature" not in found.diagnostics
    held = assessed(make_spec(data={"kind": "digits", "validation_size": 100}, evaluation={"attacks": []}))
    assert held.results["nll_tempered"] > 0
    assert held.diagnostics["temperature"] == pytest.approx(held.diagnostics["temperature"])


def test_the_temperature_is_fitted_on_the_validation_split_alone() -> None:
    spec = make_spec(data={"kind": "digits", "validation_size": 100}, evaluation={"attacks": []})
    model, data = prepared(spec)
    swapped = Dataset(**{**vars(data), "test": data.train})
    one, other = (assess(model, each, spec, seed=0, strange={}, folder=None) for each in (data, swapped))
    assert one.diagnostics["temperature"] == other.diagnostics["temperature"]
    assert one.results["nll_tempered"] != other.results["nll_tempered"]


def test_other_data_sets_are_told_apart_by_their_metric() -> None:
    strange = [{"kind": "mnist"}, {"kind": "folder", "name": "cats"}]
    spec = make_spec(evaluation={"attacks": [], "ood": strange})
    model, data = prepared(spec)
    splits = {"ood_auroc@mnist": data.test, "ood_auroc@folder:cats": digits().train}
    found = assess(model, data, spec, seed=0, strange=splits, folder=None).results
    assert found["ood_auroc@mnist"] == pytest.approx(0.5)  # the test split itself
    assert found["ood_auroc@folder:cats"] != found["ood_auroc@mnist"]


def test_nothing_but_files_depends_on_the_folder(tmp_path: Path) -> None:
    spec = example("digits-everything.yaml")
    without, within = assessed(spec), assessed(spec, tmp_path)
    assert without.written == ()
    assert (without.results, without.diagnostics) == (within.results, within.diagnostics)
    assert sorted(tmp_path.iterdir()) == sorted(within.written)


def test_a_failed_attack_of_suspicion_is_reported() -> None:
    spec = make_spec(evaluation={"attacks": [{"kind": "fgsm", "eps": [8]}]})
    model, data = prepared(spec)
    for parameter in model.parameters():
        parameter.data.zero_()  # a network that answers always the same has no gradient
    assessment = assess(model, data, spec, seed=0, strange={}, folder=None)
    found = assessment.diagnostics
    assert found["zero_gradient_fraction"] == 1
    assert found["masking_suspected"] is True
    assert len(found["masking_reasons"]) == 1  # type: ignore[arg-type]
    measured = {name: assessment.results[name] for name in (*GRADIENT_METRICS, MASKING)}
    assert measured == {"input_gradient_norm": 0.0, "zero_gradient_fraction": 1.0, "masking_suspected": 1.0}


def test_without_attacks_nothing_is_said_of_masking_and_without_reason_it_is_none() -> None:
    assert MASKING not in assessed(make_spec(evaluation={"attacks": []})).results
    found = assessed(make_spec())
    assert (found.results[MASKING], found.diagnostics["masking_reasons"]) == (0.0, [])
    assert {name: found.results[name] for name in GRADIENT_METRICS} == {
        name: found.diagnostics[name] for name in GRADIENT_METRICS
    }


def test_the_logits_give_all_metrics_of_predictions_again_to_the_last_bit(tmp_path: Path) -> None:
    spec = asking("logits")
    model, data = prepared(spec)
    found = assess(model, data, spec, seed=0, strange={}, folder=tmp_path)
    tensors = safetensors.torch.load_file(found.written[0])
    logits, y = tensors["logits"], tensors["labels"]
    assert logits.dtype == torch.float32
    assert torch.equal(y, data.test.y)
    assert metrics(logits, y) == metrics(predict(model, data.test, data.statistics), data.test.y)
    assert found.results["ece"] == equal_width(logits, y).error
    assert found.results["ece_mass"] == equal_mass(logits, y).error
    assert found.results["top5_error"] == top5_error(logits, y)
    with safe_open(found.written[0], "pt") as file:
        assert file.metadata()["kind"] == "logits"


@pytest.mark.parametrize("artifact", ["reliability", "spectrum", "hidden", "mixing_loss"])
def test_documents_say_what_they_are(artifact: str, tmp_path: Path) -> None:
    spec = asking(artifact, model={"kind": "bottleneck_mlp", "before": [8], "width": 2, "after": [8]})
    (path,) = assessed(spec, tmp_path).written
    document = read(path)
    assert path.name == f"{artifact}.json"
    assert document["kind"] == artifact
    assert document["version"] == 1
    assert document["units"]


def test_the_picture_of_hidden_states_is_of_the_bottleneck(tmp_path: Path) -> None:
    spec = asking("hidden", model={"kind": "bottleneck_mlp", "before": [8], "width": 2, "after": [8]})
    (path,) = assessed(spec, tmp_path).written
    document = read(path)
    assert (document["point"], document["width"], document["projection"]) == (2, 2, "coordinates")
    assert len(document["coordinates"]) == len(document["labels"]) == 360  # type: ignore[arg-type]


def test_spectra_are_of_all_points_after_the_input_and_summed_up(tmp_path: Path) -> None:
    found = assessed(asking("spectrum", model={"kind": "mlp", "hidden": [8, 4]}), tmp_path)
    document = read(found.written[0])
    assert [each["point"] for each in document["points"]] == [1, 2]  # type: ignore[attr-defined]
    assert set(found.diagnostics["spectrum"]) == {"1", "2"}  # type: ignore[arg-type]
    summed: Any = found.diagnostics["spectrum"]["2"]  # type: ignore[call-overload, index]
    for measure in SPECTRUM_MEASURES:
        assert found.results[f"spectrum_{measure}@2"] == summed["class_mean"][measure]
        assert found.results[f"pooled_spectrum_{measure}@2"] == summed["pooled"][measure]


def test_the_space_of_the_narrowest_layer_is_summed_up() -> None:
    found = assessed(asking("hidden", model={"kind": "bottleneck_mlp", "before": [8], "width": 2, "after": [8]}))
    assert 0 < found.results["hidden_scatter@2"] < 1
    assert 0 < found.results["hidden_entropy@2"] < math.log(10)
    wide = assessed(asking("hidden", model={"kind": "mlp", "hidden": [8]})).results
    assert ("hidden_scatter@1" in wide, "hidden_entropy@1" in wide) == (True, False)


def test_the_floor_of_the_mixing_loss_is_a_file_and_a_result(tmp_path: Path) -> None:
    mixing = {"kind": "manifold_mixup", "alpha": 2.0, "layers": [0, 1]}
    found = assessed(asking("mixing_loss", mixing=mixing), tmp_path)
    document = read(found.written[0])
    assert (document["metric"], document["alpha"]) == ("mixed_kl", 2.0)
    losses = [each["loss"] for each in document["layers"]]  # type: ignore[attr-defined]
    assert found.results["mixed_kl"] == mean(losses)
    assert [each["point"] for each in document["points"]] == [0, 1]  # type: ignore[attr-defined]


@pytest.mark.parametrize("kind", ["gaussian_mixture", "spirals"])
def test_points_in_the_plane_have_a_boundary(kind: str, tmp_path: Path) -> None:
    (path,) = assessed(asking("boundary", data={"kind": kind, "test_size": 10}), tmp_path).written
    assert (read(path)["bayes"] is not None) is (kind == "gaussian_mixture")


@pytest.mark.parametrize(
    ("artifact", "model"),
    [
        ("boundary", {"kind": "mlp"}),
        ("hidden", {"kind": "torchvision", "name": "resnet18"}),
        ("spectrum", {"kind": "torchvision", "name": "resnet18"}),
    ],
)
def test_artifacts_without_sense_are_refused_by_name(artifact: str, model: object) -> None:
    spec = asking(artifact, model=model)
    data = digits()
    net = build(spec.model, shape=(1, 8, 8), classes=10, seed=0) if artifact == "boundary" else _Pointless()
    with pytest.raises(SpecError, match=rf"evaluation\.artifacts has '{artifact}'"):
        artifacts.check(spec.evaluation.artifacts, net, data)
    with pytest.raises(SpecError, match=r"evaluation\.artifacts"):
        assess(net, data, spec, seed=0, strange={}, folder=None)


class _Pointless(nn.Module):
    """A network that can be mixed at its input only."""

    last_point = 0
