from pathlib import Path

import pytest
import torch

from mmix.run import Finished, Places, Report, Saved, Vouched, run
from mmix.spec.experiment import ExperimentSpec
from mmix.training.compilers import missing

CPU = torch.device("cpu")


def spec(choice: str) -> ExperimentSpec:
    return ExperimentSpec.model_validate(
        {
            "model": {"kind": "mlp", "hidden": [8]},
            "data": {"kind": "digits", "train_size": 70},
            "mixing": {"kind": "input_mixup", "alpha": 1.0},
            "training": {"epochs": 3, "batch_size": 32, "compile": choice},
            "evaluation": {"attacks": []},
        }
    )


def finished(found: list[Report]) -> Finished:
    assert isinstance(found[-1], Finished)
    return found[-1]


def test_a_run_that_compiling_would_not_pay_for_says_so(tmp_path: Path) -> None:
    found = finished(list(run(spec("auto"), 0, places=Places(data=tmp_path), threads=1)))
    told = found.provenance["compile"]
    assert isinstance(told, dict)
    assert told["scope"] == "none"
    assert str(told["why"]).startswith("auto: ")


@pytest.mark.skipif(missing(CPU) is not None, reason=f"inductor can't work: {missing(CPU)}")
def test_a_compiled_run_resumes_bit_for_bit_and_says_that_it_was_compiled(tmp_path: Path) -> None:
    folders = [tmp_path / name for name in ("whole", "first", "second")]
    whole = list(run(spec("on"), 0, places=Places(data=tmp_path, checkpoints=folders[0]), threads=1))
    interrupted = run(spec("on"), 0, places=Places(data=tmp_path, checkpoints=folders[1]), threads=1)
    saved = next(report for report in interrupted if isinstance(report, Saved) and report.epoch == 2)
    interrupted.close()
    places = Places(data=tmp_path, checkpoints=folders[2], resume=(Vouched(str(saved.path), saved.sha256),))
    resumed = list(run(spec("on"), 0, places=places, threads=1))
    assert finished(resumed).results["last"] == finished(whole).results["last"]
    told = {"scope": "network", "why": "training.compile is on", "graphs": 1, "backend": "inductor", "mode": "default"}
    assert finished(resumed).provenance["compile"] == told
