"""The demo: three methods that differ in nothing else, on real scanned digits."""

from mmix.spec.experiment import ExperimentSpec

SEEDS = (0, 1, 2)

_BASE = {
    "model": {"kind": "mlp", "hidden": [256, 256]},
    "data": {"kind": "digits"},
    "training": {
        "epochs": 40,
        "batch_size": 50,
        "optimiser": {"kind": "sgd", "lr": 0.1},
        "schedule": {"kind": "cosine"},
    },
}
_METHODS = (
    {"kind": "erm"},
    {"kind": "input_mixup", "alpha": 1.0},
    {"kind": "manifold_mixup", "alpha": 2.0, "layers": [0, 1, 2]},
)


def specs() -> list[ExperimentSpec]:
    """The specs of the demo; the files examples/digits-*.yaml say the same."""
    return [ExperimentSpec.model_validate({**_BASE, "mixing": mixing}) for mixing in _METHODS]
