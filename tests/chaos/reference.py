"""What a run comes to that nothing disturbs."""

from dataclasses import dataclass
from functools import cache

from mmix import run as laboratory
from mmix.spec.experiment import ExperimentSpec
from tests.conftest import make_spec, temporary_home

MANIFOLD = {"kind": "manifold_mixup", "alpha": 2.0, "layers": [0, 1]}

MIDDLING = make_spec(
    model={"kind": "mlp", "hidden": [256, 256]}, mixing=MANIFOLD, training={"epochs": 80, "batch_size": 50}
)
"""Some seconds of training with a checkpoint every few milliseconds."""


def _lasting(epochs: int) -> ExperimentSpec:
    return MIDDLING.model_copy(update={"training": MIDDLING.training.model_copy(update={"epochs": epochs})})


LONG = _lasting(200)
"""The same for longer: also than it takes to notice that its checkpoints fail."""

LONGEST = _lasting(600)
"""For longer than a lease, however fast the machine."""

ENDLESS = _lasting(100_000)
"""What only a cancel ends."""

TINY = make_spec(
    model={"kind": "mlp", "hidden": [1]},
    data={"kind": "gaussian_mixture", "points": 10, "test_size": 10},
    training={"epochs": 1},
    evaluation={"attacks": []},
)
"""As little as a run can be: its attempt costs more than its training."""

SHORT = make_spec(mixing=MANIFOLD, evaluation={"attacks": []})
"""Two epochs of a small network."""


@dataclass(frozen=True)
class Same:
    """The SHA-256 of the last checkpoint's tensors, and the results."""

    sha256: str
    results: dict[str, dict[str, float]]


@cache
def of(spec: ExperimentSpec, seed: int) -> Same:
    """Trains it here, once, on data that are always there."""
    with temporary_home() as home:
        places = laboratory.Places(data=home / "data", checkpoints=home)
        reports = list(laboratory.run(spec, seed, places=places, threads=1))
    saved = [report for report in reports if isinstance(report, laboratory.Saved)]
    end = reports[-1]
    assert isinstance(end, laboratory.Finished)
    return Same(saved[-1].sha256, end.results)
