"""Figure 1 of the ConfMix manuscript: where a network decides on the spiral."""

from mmix.suites.ingredients import ERM, adam, first
from mmix.suites.study import Study, over
from mmix.suites.suite import Suite

METRICS = ("error", "boundary_margin", "boundary_entropy", "input_gradient_norm", "nll")
ALPHA = 0.5


def _study(seeds: int) -> Study:
    """Epochs, optimiser and the spiral's shape are ours: the manuscript states none of them."""
    return Study(
        name="spiral",
        base={
            "model": {"kind": "mlp", "hidden": [512, 512, 512]},
            "data": {"kind": "spirals"},
            "training": adam(20),
            "evaluation": {"attacks": [], "artifacts": ["boundary"]},
        },
        arms=over(
            {
                "erm": ERM,
                "input": {"kind": "input_mixup", "alpha": ALPHA, "sharing": "sample"},
                "layer 3": {"kind": "manifold_mixup", "alpha": ALPHA, "layers": [3], "sharing": "sample"},
            }
        ),
        metrics=METRICS,
        seeds=first(seeds),
        smallest_difference=0.005,
    )


SUITE = Suite(
    name="confmix-spiral",
    version=1,
    summary="the decision boundary of a ReLU network on two spirals",
    source="ConfMix manuscript, figure 1 and Result 1",
    budgets={"quick": (_study(20),), "standard": (_study(100),), "paper": (_study(20),)},
)
