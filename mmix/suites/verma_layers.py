"""Table 5 of Manifold Mixup: which set S of layers may be mixed."""

from mmix.suites.ingredients import (
    CONVNET,
    DIGITS,
    ERM_ALONE,
    NO_ATTACKS,
    PREACT18,
    brief,
    brisk,
    first,
    manifold,
    stepwise,
)
from mmix.suites.study import Json, Study, over
from mmix.suites.suite import Suite

SETS = ((0,), (1,), (2,), (0, 1), (1, 2), (2, 3), (0, 1, 2), (1, 2, 3), (0, 1, 2, 3))
METRICS = ("error", "nll")


def _name(layers: tuple[int, ...]) -> str:
    return f"S={','.join(map(str, layers))}"


def _study(
    name: str, base: Json, seeds: int, *, sets: tuple[tuple[int, ...], ...] = SETS, stands_for: str | None = None
) -> Study:
    arms = over(ERM_ALONE | {_name(layers): manifold(2.0, list(layers)) for layers in sets})
    return Study(name, base, arms, METRICS, first(seeds), smallest_difference=0.005, stands_for=stands_for)


def _full(data: Json, training: Json) -> Json:
    return {"model": PREACT18, "data": data, "training": training, "evaluation": NO_ATTACKS}


SUITE = Suite(
    name="verma-layers",
    version=1,
    summary="which layers may be mixed",
    source="Manifold Mixup (arXiv:1806.05236), Table 5",
    budgets={
        "quick": (
            _study(
                "digits",
                {"model": CONVNET, "data": DIGITS, "training": brisk(30, lr=0.05), "evaluation": NO_ATTACKS},
                10,
                stands_for="cifar10",
            ),
        ),
        "standard": (
            _study(
                "cifar10",
                _full({"kind": "cifar10"}, brief(30, precision="bf16")),
                3,
                sets=((0,), (1,), (2,), (0, 1), (0, 1, 2), (0, 1, 2, 3)),
            ),
        ),
        "paper": (
            _study("cifar10", _full({"kind": "cifar10"}, stepwise(2000, [1000, 1500])), 3),
            _study("cifar100", _full({"kind": "cifar100"}, stepwise(2000, [1000, 1500])), 3),
        ),
    },
)
