"""Many networks in one run: each is the one trained alone, and the run's results are their means."""

import json
from pathlib import Path
from statistics import mean
from typing import Any

import pytest
import torch

from mmix.errors import Diverged
from mmix.run import Finished, Places, Report, Saved, Started, Trained, Vouched, many, run
from mmix.run.many import alone
from mmix.spec.evaluation import GRADIENT_METRICS, PASSES, TRAINING_METRICS
from mmix.spec.experiment import ExperimentSpec
from mmix.training import realisations

SEED, COUNT = 5, 3
ALONE_ONLY = {*GRADIENT_METRICS, *TRAINING_METRICS}
# Sums within a matrix product come in another order than alone: seen are 5e-8 after three epochs, and an order of
# magnitude more wherever a sample's sign at a ReLU turns with the last bit.
TOLERANCE = {"fp32": 1e-5, "bf16": 1e-2}  # bfloat16 has eight bits; a step that rounds otherwise differs by 4e-3
MIXING: dict[str, dict[str, Any]] = {
    "erm": {"kind": "erm"},
    "label smoothing": {"kind": "label_smoothing"},
    "one lambda a batch": {"kind": "input_mixup", "alpha": 1.0},
    "two batches": {"kind": "manifold_mixup", "alpha": 1.0, "layers": [0, 1, 3], "pairing": "two_batches"},
    "several layers in S": {"kind": "manifold_mixup", "alpha": 1.0, "layers": [0, 1, 2, 3], "sharing": "sample"},
    "two layers a batch": {"kind": "manifold_mixup", "alpha": 1.0, "layers": [0, 1, 3], "layers_per_batch": 2},
    "stop gradient": {"kind": "manifold_mixup", "alpha": 1.0, "layers": [2], "stop_gradient": True},
    "confmix": {"kind": "confmix", "layers": [0, 2], "warmup_epochs": 1},
    "confmix remembered": {"kind": "confmix", "layers": [1], "warmup_epochs": 1, "confidence": "epoch"},
}
TRAINING: dict[str, dict[str, Any]] = {
    "adam": {"optimiser": {"kind": "adam", "weight_decay": 0.01}},
    "sgd, clipped": {"optimiser": {"kind": "sgd"}, "clip_norm": 0.5, "schedule": {"kind": "cosine"}},
    "bf16": {"optimiser": {"kind": "adam"}, "precision": "bf16"},
    "bce": {"optimiser": {"kind": "sgd", "lr": 0.5, "momentum": 0.0, "nesterov": False}, "loss": "bce"},
    "mse": {"optimiser": {"kind": "adam"}, "loss": "mse"},
}
HOPELESS = {"optimiser": {"kind": "sgd", "lr": 100.0}, "loss": "mse"}
CASES = [(mixing, "adam") for mixing in MIXING] + [("several layers in S", training) for training in TRAINING]


@pytest.fixture(autouse=True)
def _blocks_of_two(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that three networks are two blocks, of which one has a single network."""
    monkeypatch.setattr(realisations, "BLOCK", 1000)  # a network of `spec` has 391 weights


def spec(mixing: str = "several layers in S", training: str = "adam", **parts: Any) -> ExperimentSpec:
    return ExperimentSpec.model_validate(
        {
            "model": {"kind": "mlp", "hidden": [16, 12, 8]},
            "data": {
                "kind": "gaussian_mixture",
                "classes": 3,
                "seed": 7,
                "points": 110,
                "test_size": 100,
                "validation_size": 20,
                "realisations": COUNT,
            },
            "mixing": MIXING[mixing],
            "training": {"epochs": 3, "batch_size": 25, **(TRAINING | {"hopeless": HOPELESS})[training]},
            "evaluation": {"attacks": []},
            **parts,
        }
    )


def reports(wanted: ExperimentSpec, *, seed: int = SEED, **places: Any) -> list[Report]:
    return list(run(wanted, seed, places=Places(data=Path("nowhere"), **places), threads=1))


def document(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "realisations.json").read_text())
    return found


def finished(found: list[Report]) -> Finished:
    assert isinstance(found[-1], Finished)
    return found[-1]


def curves(found: list[Report]) -> list[dict[str, float]]:
    return [report.metrics for report in found if isinstance(report, Trained)]


@pytest.mark.parametrize(("mixing", "training"), CASES)
def test_each_realisation_is_the_run_of_its_own_seeds_alone(mixing: str, training: str, tmp_path: Path) -> None:
    wanted = spec(mixing, training)
    tolerance = TOLERANCE[wanted.training.precision]
    together = reports(wanted, artifacts=tmp_path)
    each = [reports(alone(wanted, place), seed=SEED + place) for place in range(COUNT)]
    own = document(tmp_path)["results"]
    for place, found in enumerate(each):
        for selection, metrics in finished(found).results.items():
            shared = {name: value for name, value in metrics.items() if name not in ALONE_ONLY}
            values = {name: own[selection][name][place] for name in shared}
            assert values == pytest.approx(shared, rel=tolerance, abs=tolerance)
    means = [
        {name: mean(epoch[name] for epoch in epochs) for name in epochs[0]}
        for epochs in zip(*map(curves, each), strict=True)
    ]
    assert [*map(set, curves(together))] == [*map(set, means)]
    for epoch, expected in zip(curves(together), means, strict=True):
        assert epoch == pytest.approx(expected, rel=tolerance, abs=tolerance)


def test_results_are_the_means_of_what_the_artifact_holds(tmp_path: Path) -> None:
    found = finished(reports(spec(), artifacts=tmp_path))
    written = document(tmp_path)
    assert (written["kind"], written["realisations"]) == ("realisations", COUNT)
    assert (written["data_seed"], written["seed"]) == ([7, 8, 9], [5, 6, 7])
    assert found.provenance["artifacts"] == ["realisations.json"]
    last = {name: mean(values) for name, values in written["results"]["last"].items() if None not in values}
    # The relative excess risk is the ratio of the means. The artifact has seven digits.
    last["relative_excess_risk"] = last["excess_risk"] / last["bayes_risk"]
    assert found.results["last"] == pytest.approx(last, rel=1e-5)
    oracle = {name: mean(values) for name, values in written["results"]["best_on_test"].items()}
    assert found.results["best_on_test"] == pytest.approx(oracle, rel=1e-6)


def test_each_network_s_cost_is_that_of_its_own_training(tmp_path: Path) -> None:
    found = finished(reports(spec("confmix"), artifacts=tmp_path))
    trained = 3 * 90 + 2 * 90 / 3  # of the 110 points 20 are set aside; the first epoch asks for no confidence
    assert found.results["last"][PASSES] == pytest.approx(trained)
    assert document(tmp_path)["results"]["last"][PASSES] == pytest.approx([trained] * COUNT)
    assert document(tmp_path)["units"][PASSES] == "images"


def test_provenance_counts_the_realisations_and_all_their_parameters(tmp_path: Path) -> None:
    provenance = finished(reports(spec())).provenance
    assert provenance["realisations"] == COUNT
    assert provenance["parameters"] == COUNT * (2 * 16 + 16 + 16 * 12 + 12 + 12 * 8 + 8 + 8 * 3 + 3)
    assert len(provenance["diagnostics"]["temperature"]) == COUNT  # type: ignore[arg-type, call-overload, index]


def test_a_test_split_measured_at_the_end_gives_the_last_results_alone() -> None:
    often = finished(reports(spec()))
    rarely = finished(reports(spec(evaluation={"attacks": [], "test_every": 3})))
    assert set(rarely.results) == {"last"}
    assert rarely.results["last"] == often.results["last"]


@pytest.mark.parametrize("training", ["adam", "sgd, clipped", "bf16"])
@pytest.mark.parametrize("mixing", ["several layers in S", "confmix remembered"])
def test_resumed_realisations_equal_uninterrupted_ones_bit_for_bit(mixing: str, training: str, tmp_path: Path) -> None:
    wanted = spec(mixing, training)
    whole = reports(wanted, checkpoints=tmp_path / "whole", artifacts=tmp_path / "of whole")
    interrupted = run(wanted, SEED, places=Places(data=tmp_path, checkpoints=tmp_path / "first"), threads=1)
    saved = next(report for report in interrupted if isinstance(report, Saved) and report.epoch == 2)
    interrupted.close()
    known = (Vouched(str(saved.path), saved.sha256),)
    resumed = reports(wanted, checkpoints=tmp_path / "second", resume=known, artifacts=tmp_path / "of resumed")
    assert resumed[0] == Started(resumed_epoch=2, epochs=3, skipped=())
    assert curves(resumed) == curves(whole)[2:]
    assert finished(resumed).results == finished(whole).results
    assert document(tmp_path / "of resumed") == document(tmp_path / "of whole")
    assert [report.sha256 for report in resumed if isinstance(report, Saved)] == [
        report.sha256 for report in whole if isinstance(report, Saved)
    ][2:]


def test_checkpoints_that_cost_much_are_further_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(many, "_BYTES_AN_EPOCH", 391 * COUNT * 12 // 2)  # half of what a checkpoint takes
    saved = [report.epoch for report in reports(spec(), checkpoints=tmp_path) if isinstance(report, Saved)]
    assert saved == [2]  # of three epochs


def test_how_blocks_are_cut_is_no_part_of_a_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    interrupted = run(spec(), SEED, places=Places(data=tmp_path, checkpoints=tmp_path), threads=1)
    assert any(isinstance(report, Saved) and report.epoch == 2 for report in interrupted)
    interrupted.close()
    monkeypatch.setattr(realisations, "BLOCK", 10_000)
    resumed = reports(spec(), checkpoints=tmp_path)
    assert finished(resumed).results["last"] == pytest.approx(finished(reports(spec())).results["last"], rel=1e-5)


def test_a_realisation_that_diverges_fails_the_run_by_its_name() -> None:
    hopeless = spec("erm", "hopeless")
    with pytest.raises(Diverged, match=r"realisation \d \(seed \d\).*epoch 1.*lower training.optimiser.lr"):
        reports(hopeless)


def test_spirals_are_trained_many_at_once_without_a_bayes_rule(tmp_path: Path) -> None:
    data = {"kind": "spirals", "points": 60, "test_size": 50, "realisations": 2}
    found = finished(reports(spec(data=data), artifacts=tmp_path)).results["last"]
    assert "excess_risk" not in found
    assert found["error"] == pytest.approx(mean(document(tmp_path)["results"]["last"]["error"]))


def test_torch_keeps_the_state_it_had() -> None:
    before = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    reports(spec())
    assert (torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()) == before
