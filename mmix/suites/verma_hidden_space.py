"""Figure 2 of Manifold Mixup: a hidden layer of two units, and what the network makes of the room between classes."""

from mmix.spec.evaluation import hidden_metric
from mmix.suites.ingredients import DIGITS, MNIST, adam, first, input_mixup, manifold
from mmix.suites.study import Json, Study, over
from mmix.suites.suite import Suite

POINT = 4  # the bottleneck lies after three layers
METRICS = (
    hidden_metric("scatter", POINT),
    hidden_metric("entropy", POINT),
    f"mixed_confidence@{POINT}",
    "input_gradient_norm",
    "error",
)


def _study(data: Json, *, units: int, training: Json) -> Study:
    """Source: the authors' first experiments, 784-1024-1024-1024-2, BN, 2-1024-1024-10, alpha 0.5."""
    return Study(
        name="two-units",
        base={
            "model": {"kind": "bottleneck_mlp", "before": [units] * 3, "width": 2, "after": [units] * 2},
            "data": data,
            "training": training,
            "evaluation": {"attacks": [], "artifacts": ["hidden", "mixing_loss"]},
        },
        arms=over({"erm": {"kind": "erm"}, "input": input_mixup(0.5), "manifold": manifold(0.5, [POINT])}),
        metrics=METRICS,
        seeds=first(10),
    )


SUITE = Suite(
    name="verma-hidden-space",
    version=1,
    summary="where a layer of two units puts the classes, and how sure the network is between them",
    source="Manifold Mixup (arXiv:1806.05236), figure 2; the slides' hidden space; the abstract",
    budgets={
        "quick": (_study(DIGITS, units=256, training=adam(40)),),
        "standard": (_study(MNIST, units=1024, training=adam(30, batch_size=256, lr=1e-4)),),
        "paper": (_study(MNIST, units=1024, training=adam(30, batch_size=256, lr=1e-4)),),
    },
)
