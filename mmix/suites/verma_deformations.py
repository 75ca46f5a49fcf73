"""Tables 4 and 9 of Manifold Mixup: test images that were turned, sheared and zoomed."""

from mmix.spec.evaluation import deformation_metric
from mmix.suites.ingredients import (
    CONVNET,
    DIGITS,
    ERM,
    PREACT18,
    PREACT34,
    brief,
    brisk,
    first,
    input_mixup,
    manifold,
    stepwise,
)
from mmix.suites.study import Json, Study, over
from mmix.suites.suite import Suite

AMOUNTS: dict[str, tuple[float, ...]] = {
    "rotation": (20, 40, 60, 80),
    "shear": (28.6, 57.3, 114.6, 143.2, 171.9),
    "zoom_in": (20, 40, 60, 80),
    "zoom_out": (120, 140, 160, 180),
}
METRICS = (
    *(deformation_metric(kind, amount) for kind, amounts in AMOUNTS.items() for amount in amounts),
    "error",
    "nll",
    "ece",
)
ARMS = over(
    {
        "erm": ERM,
        "input": input_mixup(1.0),
        "input alpha=2": input_mixup(2.0),
        "manifold": manifold(2.0, [0, 1, 2]),
    }
)
EVALUATION: Json = {
    "attacks": [],
    "deformations": [{"kind": kind, "amounts": list(amounts)} for kind, amounts in AMOUNTS.items()],
}
CIFAR100: Json = {"kind": "cifar100"}


def _study(name: str, model: Json, data: Json, training: Json, seeds: int) -> Study:
    base = {"model": model, "data": data, "training": training, "evaluation": EVALUATION}
    return Study(name, base, ARMS, METRICS, first(seeds), smallest_difference=0.01, stands_for="preact34")


SUITE = Suite(
    name="verma-deformations",
    version=1,
    summary="accuracy on test images that no training image was deformed like",
    source="Manifold Mixup (arXiv:1806.05236), Tables 4 and 9",
    budgets={
        "quick": (_study("digits", CONVNET, DIGITS, brisk(30, lr=0.05), 10),),
        "standard": (_study("preact18", PREACT18, CIFAR100, brief(60, precision="bf16"), 3),),
        "paper": (_study("preact34", PREACT34, CIFAR100, stepwise(1200, [400, 800]), 3),),
    },
)
