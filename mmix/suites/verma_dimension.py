"""The theorem of Manifold Mixup: the mixing loss can be met where a layer has d - 1 dimensions for d classes."""

from mmix.suites.ingredients import DIGITS, MNIST, adam, first, manifold
from mmix.suites.study import Json, Study, over
from mmix.suites.suite import Suite

CLASSES = 10
WIDTHS = (1, 2, 4, 6, 8, 9, 10, 12, 16, 20)
ENOUGH = CLASSES - 1
BEFORE = 2
ALPHA = 2.0


def _bottleneck(width: int, units: int) -> Json:
    return {"kind": "bottleneck_mlp", "before": [units] * BEFORE, "width": width, "after": [units], "norm": True}


def _linear(data: Json, *, units: int, epochs: int, seeds: int) -> Study:
    """A linear rest, as the theorem has it, under squared error, which a linear map can bring to nothing.

    With a label variance v of the mixtures, at best v (d - 1 - width) / (d - 1) is left below d - 1.
    """
    training = {**adam(epochs, lr=2e-3), "schedule": {"kind": "cosine"}, "loss": "mse"}
    return Study(
        name="linear-rest",
        base={
            "data": data,
            "mixing": {**manifold(ALPHA, [2]), "sharing": "sample"},
            "training": training,
            "evaluation": {"attacks": [], "test_every": epochs, "artifacts": ["mixing_loss"]},
        },
        # leaky: units of a narrow ReLU layer die, and what is left is narrower than it says
        arms={
            f"width {width}": {"model": {"kind": "mlp", "hidden": [units, width], "activation": "leaky_relu"}}
            for width in WIDTHS
        },
        metrics=("mixed_mse", "error"),
        seeds=first(seeds),
        baseline=f"width {ENOUGH}",
    )


def _widths(data: Json, *, units: int, training: Json, seeds: int) -> Study:
    base: Json = {
        "data": data,
        "mixing": manifold(ALPHA, [BEFORE + 1]),
        "training": training,
        "evaluation": {"attacks": [], "artifacts": ["mixing_loss"]},
    }
    return Study(
        name="widths",
        base=base,
        arms={f"width {width}": {"model": _bottleneck(width, units)} for width in WIDTHS},
        metrics=("mixed_kl", "error"),
        seeds=first(seeds),
        baseline=f"width {ENOUGH}",
    )


def _depths(data: Json, *, units: int, training: Json, seeds: int) -> Study:
    return Study(
        name="depths",
        base={
            "model": {"kind": "mlp", "hidden": [units] * 3},
            "data": data,
            "training": training,
            "evaluation": {"attacks": [], "artifacts": ["mixing_loss"]},
        },
        arms=over({f"layer {layer}": manifold(ALPHA, [layer]) for layer in range(4)}),
        metrics=("mixed_kl", "error"),
        seeds=first(seeds),
        baseline="layer 0",
    )


def _studies(data: Json, *, units: int, training: Json, seeds: int, linear_epochs: int) -> tuple[Study, ...]:
    return (
        _linear(data, units=units // 2, epochs=linear_epochs, seeds=seeds),
        _widths(data, units=units, training=training, seeds=seeds),
        _depths(data, units=units, training=training, seeds=seeds),
    )


SUITE = Suite(
    name="verma-dimension",
    version=2,
    summary="the floor of the mixing loss against the width of the layer that is mixed, and against its depth",
    source="Manifold Mixup (arXiv:1806.05236), section 3; the slides' theory; the ConfMix manuscript's Theorem 1",
    budgets={
        "quick": _studies(DIGITS, units=256, training=adam(60), seeds=5, linear_epochs=150),
        "standard": _studies(MNIST, units=512, training=adam(20, batch_size=100), seeds=5, linear_epochs=20),
        "paper": _studies(MNIST, units=1024, training=adam(100, batch_size=100), seeds=5, linear_epochs=100),
    },
)
