"""Table 3 of Manifold Mixup: alphas on Tiny-ImageNet."""

from mmix.suites.ingredients import (
    ERM_ALONE,
    FEW_IMAGES,
    NO_ATTACKS,
    at_the_end,
    brief,
    first,
    input_mixup,
    manifold,
    stepwise,
)
from mmix.suites.study import Json, Study, over
from mmix.suites.suite import Suite

DATA: Json = {"kind": "tiny_imagenet"}
MODEL: Json = {"kind": "preact_resnet", "depth": 18, "stem_stride": 2}
METRICS = ("error", "top5_error", "nll", "forward_backward_passes", "device_seconds")
ALPHAS = (0.2, 0.5, 1.0, 2.0)


def _arms(alphas: tuple[float, ...]) -> dict[str, Json]:
    inputs = {f"input alpha={alpha:g}": input_mixup(alpha) for alpha in alphas}
    hidden = {f"manifold alpha={alpha:g}": manifold(alpha, [0, 1, 2]) for alpha in alphas}
    return over(ERM_ALONE | inputs | hidden)


def _study(base: Json, alphas: tuple[float, ...], seeds: int) -> Study:
    return Study("preact18", base, _arms(alphas), METRICS, first(seeds), smallest_difference=0.005)


SUITE = Suite(
    name="verma-tiny-imagenet",
    version=1,
    summary="top-1 and top-5 accuracy of Manifold Mixup on Tiny-ImageNet, by alpha",
    source="Manifold Mixup (arXiv:1806.05236), Table 3",
    budgets={
        "quick": (
            _study(
                {
                    "model": {**MODEL, "width": 16},
                    "data": {**DATA, "train_size": FEW_IMAGES},
                    "training": brief(10),
                    "evaluation": at_the_end(10),
                },
                ALPHAS[:1],
                3,
            ),
        ),
        "standard": (
            _study(
                {
                    "model": MODEL,
                    "data": DATA,
                    "training": brief(40, precision="bf16"),
                    "evaluation": NO_ATTACKS,
                },
                ALPHAS[:1],
                3,
            ),
        ),
        "paper": (
            _study(
                {"model": MODEL, "data": DATA, "training": stepwise(2000, [1000, 1500]), "evaluation": NO_ATTACKS},
                ALPHAS,
                3,
            ),
        ),
    },
)
