from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from PIL import Image

from mmix.errors import DataMissing, Diverged, SetupError
from mmix.run import Finished, Places, Report, Saved, Started, Trained, Vouched, run
from mmix.spec.evaluation import PASSES, is_metric
from mmix.spec.experiment import ExperimentSpec

EXAMPLES = Path(__file__).parents[2] / "examples"
MODELS: tuple[dict[str, Any], ...] = (
    {"kind": "mlp", "hidden": [16, 16]},
    {"kind": "convnet"},
    {"kind": "preact_resnet", "width": 4},
)
MIXING: tuple[dict[str, Any], ...] = (
    {"kind": "erm"},
    {"kind": "input_mixup", "alpha": 1.0},
    {"kind": "manifold_mixup", "alpha": 2.0, "layers": [0, 1, 2], "sharing": "sample"},
)


def spec(model: dict[str, Any] = MODELS[0], mixing: dict[str, Any] = MIXING[2], **training: Any) -> ExperimentSpec:
    return ExperimentSpec.model_validate(
        {
            "model": model,
            "data": {"kind": "digits", "train_size": 100, "crop_padding": 1},
            "mixing": mixing,
            "training": {"epochs": 4, "batch_size": 25, "schedule": {"kind": "cosine"}, **training},
            "evaluation": {"attacks": [{"kind": "fgsm", "eps": [0, 8]}]},
        }
    )


def reports(wanted: ExperimentSpec, places: Places, seed: int = 0) -> list[Report]:
    return list(run(wanted, seed, places=places, threads=1))


def of_kind(kind: type, found: Iterable[Report]) -> list[Any]:
    return [report for report in found if isinstance(report, kind)]


def results(found: list[Report]) -> dict[str, dict[str, float]]:
    assert isinstance(found[-1], Finished)
    return found[-1].results


def metrics(found: list[Report]) -> list[dict[str, float]]:
    return [report.metrics for report in of_kind(Trained, found)]


def nowhere(tmp_path: Path) -> Places:
    return Places(data=tmp_path)


def checkpointed(tmp_path: Path, name: str = "checkpoints") -> Places:
    return Places(data=tmp_path, checkpoints=tmp_path / name)


def test_a_run_reports_its_start_every_epoch_and_its_end(tmp_path: Path) -> None:
    found = reports(spec(), checkpointed(tmp_path))
    kinds = [type(report) for report in found]
    assert kinds == [Started, *[Trained, Saved] * 4, Finished]
    assert found[0] == Started(resumed_epoch=0, epochs=4, skipped=())
    names = {"train_loss", "train_accuracy_weighted", "lr", "error", "nll", "brier"}
    assert all(set(epoch) == names for epoch in metrics(found))


def test_the_test_split_is_measured_as_often_as_asked_and_at_the_end(tmp_path: Path) -> None:
    every = spec(epochs=5)
    rare = every.model_copy(update={"evaluation": every.evaluation.model_copy(update={"test_every": 2})})
    found = reports(rare, nowhere(tmp_path))
    assert ["error" in epoch for epoch in metrics(found)] == [False, True, False, True, True]
    assert set(results(found)) == {"last"}
    assert results(found)["last"] == results(reports(every, nowhere(tmp_path)))["last"]


def test_results_have_the_names_that_may_be_stored(tmp_path: Path) -> None:
    found = results(reports(spec(epochs=10), nowhere(tmp_path)))
    assert set(found) == {"last", "median_of_last_ten", "best_on_test"}
    assert all(is_metric(name) for selection in found.values() for name in selection)
    assert found["last"]["fgsm_accuracy@pixel:0/255"] == pytest.approx(1 - found["last"]["error"])


def test_the_results_say_what_the_training_cost_and_says_of_itself(tmp_path: Path) -> None:
    wanted = spec(mixing={"kind": "confmix", "layers": [1], "warmup_epochs": 2})
    found = reports(wanted, nowhere(tmp_path))
    last, epochs = results(found)["last"], metrics(found)
    assert last[PASSES] == 100 * (4 + 2 / 3)  # half of the epochs ask for the confidence in 100 images
    assert (last["confmix_alpha_first"], last["confmix_alpha_last"]) == tuple(
        epoch["confmix_alpha"] for epoch in epochs[2:]
    )
    assert last["train_accuracy_weighted"] == epochs[-1]["train_accuracy_weighted"]
    plain = results(reports(spec(), nowhere(tmp_path)))["last"]
    assert (plain[PASSES], "confmix_alpha_last" in plain) == (400, False)


def test_provenance_says_what_the_results_rest_on(tmp_path: Path) -> None:
    (finished,) = of_kind(Finished, reports(spec(), nowhere(tmp_path)))
    provenance = finished.provenance
    assert provenance["torch"] == torch.__version__
    assert (provenance["threads"], provenance["device"], provenance["train_images"]) == (1, "cpu", 100)
    assert provenance["parameters"] == 64 * 16 + 16 + 16 * 16 + 16 + 16 * 10 + 10


@pytest.mark.parametrize("mixing", MIXING)
@pytest.mark.parametrize("model", MODELS)
def test_two_runs_of_one_spec_and_seed_are_equal_bit_for_bit(
    model: dict[str, Any], mixing: dict[str, Any], tmp_path: Path
) -> None:
    wanted = spec(model, mixing, epochs=2)
    first, second = (reports(wanted, checkpointed(tmp_path, name)) for name in ("first", "second"))
    assert metrics(first) == metrics(second)
    assert results(first) == results(second)
    assert of_kind(Saved, first)[-1].sha256 == of_kind(Saved, second)[-1].sha256


def test_seeds_differ(tmp_path: Path) -> None:
    first, second = (reports(spec(), nowhere(tmp_path), seed) for seed in (0, 1))
    assert metrics(first) != metrics(second)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("model", MODELS)
def test_a_resumed_run_equals_an_uninterrupted_one_bit_for_bit(
    model: dict[str, Any], precision: str, tmp_path: Path
) -> None:
    wanted = spec(model, precision=precision)
    whole = reports(wanted, checkpointed(tmp_path, "whole"))
    interrupted = run(wanted, 0, places=checkpointed(tmp_path, "first"), threads=1)
    saved = next(report for report in interrupted if isinstance(report, Saved) and report.epoch == 2)
    interrupted.close()
    known = (Vouched(str(saved.path), saved.sha256),)
    places = Places(data=tmp_path, checkpoints=tmp_path / "second", resume=known)
    resumed = reports(wanted, places)
    assert resumed[0] == Started(resumed_epoch=2, epochs=4, skipped=())
    assert metrics(resumed) == metrics(whole)[2:]
    assert results(resumed) == results(whole)
    assert of_kind(Saved, resumed)[-1].sha256 == of_kind(Saved, whole)[-1].sha256


def test_a_run_stopped_between_training_and_saving_repeats_that_epoch(tmp_path: Path) -> None:
    whole = reports(spec(), nowhere(tmp_path))
    interrupted = run(spec(), 0, places=checkpointed(tmp_path), threads=1)
    assert any(isinstance(report, Trained) and report.epoch == 3 for report in interrupted)
    interrupted.close()
    resumed = reports(spec(), checkpointed(tmp_path))
    assert resumed[0] == Started(resumed_epoch=2, epochs=4, skipped=())
    assert results(resumed) == results(whole)


def test_a_complete_run_goes_straight_to_its_results(tmp_path: Path) -> None:
    whole = reports(spec(), checkpointed(tmp_path))
    again = reports(spec(), checkpointed(tmp_path))
    assert [type(report) for report in again] == [Started, Finished]
    assert results(again) == results(whole)


def test_a_broken_checkpoint_falls_back_and_is_reported(tmp_path: Path) -> None:
    whole = reports(spec(), checkpointed(tmp_path))
    newest = of_kind(Saved, whole)[-1].path
    newest.write_bytes(newest.read_bytes()[:-5])
    resumed = reports(spec(), checkpointed(tmp_path))
    assert isinstance(resumed[0], Started)
    assert resumed[0].resumed_epoch == 3
    assert newest.name in resumed[0].skipped[0]
    assert results(resumed) == results(whole)


def test_a_checkpoint_of_another_seed_or_spec_is_not_resumed(tmp_path: Path) -> None:
    reports(spec(), checkpointed(tmp_path))
    for other in (reports(spec(), checkpointed(tmp_path), 1), reports(spec(epochs=5), checkpointed(tmp_path))):
        assert isinstance(other[0], Started)
        assert other[0].resumed_epoch == 0


def test_a_run_leaves_torchs_global_state_alone(tmp_path: Path) -> None:
    threads, generator = torch.get_num_threads(), torch.get_rng_state()
    reports(spec(), nowhere(tmp_path))
    assert torch.get_num_threads() == threads
    assert torch.equal(torch.get_rng_state(), generator)
    assert not torch.are_deterministic_algorithms_enabled()


def test_missing_data_and_devices_are_named(tmp_path: Path) -> None:
    wanted = ExperimentSpec.model_validate({**spec().model_dump(), "data": {"kind": "cifar10"}})
    with pytest.raises(DataMissing, match="mmix data prepare cifar10"):
        next(run(wanted, 0, places=nowhere(tmp_path)))
    with pytest.raises(SetupError, match="finds only cpu"):
        next(run(spec(), 0, places=nowhere(tmp_path), device="cuda:9"))


def test_a_diverging_run_says_so(tmp_path: Path) -> None:
    wanted = spec(model={"kind": "mlp", "hidden": [64] * 8}, optimiser={"kind": "sgd", "lr": 100.0})
    with pytest.raises(Diverged, match=r"training\.optimiser\.lr"):
        reports(wanted, nowhere(tmp_path))


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_example_is_a_valid_spec(path: Path) -> None:
    ExperimentSpec.model_validate(yaml.safe_load(path.read_text()))


@pytest.mark.parametrize("method", ["erm", "input", "manifold"])
def test_the_digits_examples_learn(method: str, tmp_path: Path) -> None:
    wanted = ExperimentSpec.model_validate(yaml.safe_load((EXAMPLES / f"digits-{method}.yaml").read_text()))
    assert results(reports(wanted, nowhere(tmp_path)))["last"]["error"] < 0.04


def draw(folder: Path, *, shade: int) -> None:
    for split in ("train", "test"):
        for place, name in enumerate(("dark", "light")):
            (folder / split / name).mkdir(parents=True, exist_ok=True)
            for number in range(4):
                value = shade + 40 * place + number
                Image.new("RGB", (8, 8), (value,) * 3).save(folder / split / name / f"{number}.png")


def test_a_checkpoint_from_other_images_is_not_resumed(tmp_path: Path) -> None:
    data = {"kind": "folder", "name": "shades"}
    wanted = ExperimentSpec.model_validate({**spec(batch_size=4).model_dump(), "data": data})
    draw(tmp_path / "folder" / "shades", shade=0)
    assert reports(wanted, checkpointed(tmp_path))[0] == Started(resumed_epoch=0, epochs=4, skipped=())
    assert reports(wanted, checkpointed(tmp_path))[0] == Started(resumed_epoch=4, epochs=4, skipped=())
    draw(tmp_path / "folder" / "shades", shade=1)
    again = reports(wanted, checkpointed(tmp_path))
    assert isinstance(again[0], Started)
    assert again[0].resumed_epoch == 0
    assert "another run" in again[0].skipped[0]
