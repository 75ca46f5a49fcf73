"""Table 6 of Manifold Mixup: alpha, for input and Manifold Mixup."""

from mmix.suites.ingredients import (
    CONVNET,
    DIGITS,
    ERM_ALONE,
    NO_ATTACKS,
    PREACT18,
    brief,
    brisk,
    first,
    input_mixup,
    manifold,
    stepwise,
)
from mmix.suites.study import Json, Study, over
from mmix.suites.suite import Suite

ALPHAS = (0.5, 1.0, 1.2, 1.5, 1.8, 2.0)
METRICS = ("error", "nll", "input_gradient_norm")


def _arms(alphas: tuple[float, ...]) -> dict[str, Json]:
    inputs = {f"input alpha={alpha:g}": input_mixup(alpha) for alpha in alphas}
    hidden = {f"manifold alpha={alpha:g}": manifold(alpha, [0, 1, 2]) for alpha in alphas}
    return over(ERM_ALONE | inputs | hidden)


def _study(name: str, base: Json, alphas: tuple[float, ...], seeds: int, *, stands_for: str | None = None) -> Study:
    return Study(name, base, _arms(alphas), METRICS, first(seeds), smallest_difference=0.005, stands_for=stands_for)


def _full(training: Json) -> Json:
    return {"model": PREACT18, "data": {"kind": "cifar10"}, "training": training, "evaluation": NO_ATTACKS}


SUITE = Suite(
    name="verma-alpha",
    version=1,
    summary="how strongly to mix",
    source="Manifold Mixup (arXiv:1806.05236), Table 6",
    budgets={
        "quick": (
            _study(
                "digits",
                {"model": CONVNET, "data": DIGITS, "training": brisk(30, lr=0.05), "evaluation": NO_ATTACKS},
                ALPHAS,
                10,
                stands_for="cifar10",
            ),
        ),
        "standard": (_study("cifar10", _full(brief(30, precision="bf16")), (0.5, 1.0, 2.0), 3),),
        "paper": (_study("cifar10", _full(stepwise(2000, [1000, 1500])), ALPHAS, 3),),
    },
)
