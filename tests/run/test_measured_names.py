"""What a comparison may be decided by is what its runs will end with."""

from pathlib import Path

import pytest

from mmix.run import run
from mmix.run.reports import Finished, Places
from mmix.spec.evaluation import DEVICE_SECONDS
from mmix.spec.experiment import ExperimentSpec
from mmix.spec.measures import measured
from tests.conftest import make_spec

PLANE = {"kind": "gaussian_mixture", "points": 100, "test_size": 100, "validation_size": 20}
FAMILY = {**PLANE, "validation_size": 0, "realisations": 2}
ALL = ["logits", "reliability", "spectrum", "boundary"]
SPECS = {
    "images": make_spec(
        data={"kind": "digits", "train_size": 200, "validation_size": 100},
        mixing={"kind": "confmix", "warmup_epochs": 1},
        evaluation={
            "attacks": [{"kind": "fgsm", "eps": [8]}, {"kind": "fgsm_normalised", "eps": [0.03]}],
            "deformations": [{"kind": "rotation", "amounts": [20.0]}],
            "ood": [{"kind": "uniform_noise"}],
            "artifacts": ["spectrum"],
        },
    ),
    "points": make_spec(data=PLANE, evaluation={"attacks": [], "artifacts": ALL}),
    "many networks": make_spec(data=FAMILY, evaluation={"attacks": []}),
}


@pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS)
def test_a_run_ends_with_the_metrics_that_its_spec_promises(spec: ExperimentSpec, tmp_path: Path) -> None:
    *_, finished = run(spec, 0, places=Places(data=tmp_path, artifacts=tmp_path), threads=1)
    assert isinstance(finished, Finished)
    # the seconds are the store's to tell
    assert {*finished.results["last"], DEVICE_SECONDS} == set(measured(spec))
