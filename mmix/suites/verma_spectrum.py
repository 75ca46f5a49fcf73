"""Section 3.2 and figures 9 to 11 of Manifold Mixup: mixing flattens the representations of a class."""

from mmix.spec.evaluation import pooled_spectrum_metric, spectrum_metric
from mmix.suites.ingredients import DIGITS, ERM, MNIST, adam, first, input_mixup, manifold
from mmix.suites.study import Json, Study
from mmix.suites.suite import Suite

MEASURES = ("ratio", "largest", "rest", "participation_ratio", "effective_rank", "rank")
WEIGHT_DECAY = 1e-4  # ours, as the paper doesn't say how much: at ten times that, the error is twice as large


def _study(name: str, data: Json, *, units: int, before: int, bottleneck: int, epochs: int, batch: int) -> Study:
    """Mixed at the bottleneck alone, after `before` layers. Source: the paper's appendix G, section 3.2 for the arms.

    The dropout of section 3.2 is left out: our networks have none.
    """
    point = before + 1
    training = adam(epochs, batch_size=batch)
    decayed = {**training, "optimiser": {**training["optimiser"], "weight_decay": WEIGHT_DECAY}}
    return Study(
        name=name,
        base={
            "model": {
                "kind": "bottleneck_mlp",
                "before": [units] * before,
                "width": bottleneck,
                "after": [units] * 4,
                "activation": "leaky_relu",
                "norm": False,  # it would hide how large the states are
            },
            "data": data,
            "training": training,
            "evaluation": {"attacks": [], "artifacts": ["spectrum", "hidden"]},
        },
        arms={
            "erm": {"mixing": ERM},
            "weight decay": {"mixing": ERM, "training": decayed},
            "input": {"mixing": input_mixup(2.0)},
            "manifold": {"mixing": manifold(2.0, [point])},
        },
        metrics=(
            *(spectrum_metric(measure, point) for measure in MEASURES),
            pooled_spectrum_metric("effective_rank", point),
            "error",
        ),
        seeds=first(10),
    )


def _studies(data: Json, *, units: int, epochs: int, batch: int) -> tuple[Study, ...]:
    return (
        _study("bottleneck-12", data, units=units, before=3, bottleneck=12, epochs=epochs, batch=batch),
        _study("bottleneck-30", data, units=units, before=3, bottleneck=30, epochs=epochs, batch=batch),
        _study("early-bottleneck-30", data, units=units, before=1, bottleneck=30, epochs=epochs, batch=batch),
    )


SUITE = Suite(
    name="verma-spectrum",
    version=1,
    summary="in how many directions the states of a class vary",
    source="Manifold Mixup (arXiv:1806.05236), section 3.2 and figures 9 to 11; the slides' surprising properties",
    budgets={
        "quick": _studies(DIGITS, units=128, epochs=40, batch=50),
        "standard": _studies(MNIST, units=1024, epochs=10, batch=100),
        "paper": _studies(MNIST, units=1024, epochs=50, batch=100),
    },
)
