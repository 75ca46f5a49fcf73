"""Every method on real data in minutes: an arm for each kind of the union, and some for what a kind can be."""

from mmix.suites.ingredients import DIGITS, ERM, SMALL_MLP, brisk, first, input_mixup, manifold
from mmix.suites.study import Study, over
from mmix.suites.suite import Suite

ARMS = over(
    {
        "erm": ERM,
        "input_mixup": input_mixup(1.0),
        "manifold_mixup": manifold(2.0, [0, 1, 2]),
        "confmix": {"kind": "confmix"},
        "confmix layers=2": {"kind": "confmix", "layers": [2]},
        "cutmix": {"kind": "cutmix"},
        "cutout": {"kind": "cutout", "size": 3},  # of 8 pixels a side
        "label_smoothing": {"kind": "label_smoothing"},
    }
)
METRICS = (
    "error",
    "nll",
    "brier",
    "ece",
    "fgsm_accuracy@pixel:8/255",
    "masking_suspected",
    "forward_backward_passes",
    "device_seconds",
)


def _study(seeds: int) -> Study:
    return Study(
        name="mlp",
        base={
            "model": SMALL_MLP,
            "data": DIGITS,
            "training": brisk(40),
            "evaluation": {"attacks": [{"kind": "fgsm", "eps": [8]}]},
        },
        arms=ARMS,
        metrics=METRICS,
        seeds=first(seeds),
        smallest_difference=0.005,  # 1.8 of the 360 test images
    )


SUITE = Suite(
    name="digits",
    version=1,
    summary="every mixing method on scanned digits, in minutes on two CPU cores",
    source="no paper: our own comparison on scikit-learn's digits",
    budgets={"quick": (_study(10),), "standard": (_study(30),), "paper": (_study(100),)},
)
