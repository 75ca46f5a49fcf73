"""Table 7 of Manifold Mixup: one signed gradient step, and what many steps leave of it."""

from mmix.suites.ingredients import CONVNET, DIGITS, PREACT18, brief, brisk, first, stepwise, table_1
from mmix.suites.study import Json, Study, over
from mmix.suites.suite import Suite

METRICS = (
    "fgsm_accuracy@pixel:8/255",
    "fgsm_accuracy@pixel:2/255",
    "fgsm_accuracy@normalised:0.03",
    "fgsm_accuracy@normalised:0.01",
    "pgd20_accuracy@pixel:8/255",
    "pgd200_accuracy@pixel:255/255",
    "masking_suspected",
    "zero_gradient_fraction",
    "error",
)
EVALUATION: Json = {
    "attacks": [
        {"kind": "fgsm", "eps": [2, 8]},
        {"kind": "fgsm_normalised", "eps": [0.01, 0.03]},  # the authors' deleted code; the paper states no eps
        {"kind": "pgd", "eps": [8], "steps": 20},
        {"kind": "pgd", "eps": [255], "steps": 200},  # the paper's appendix D: without a bound
    ]
}


def _study(
    name: str, model: Json, data: Json, training: Json, seeds: int, *, layers: list[int], stands_for: str | None = None
) -> Study:
    base = {"model": model, "data": data, "training": training, "evaluation": EVALUATION}
    arms = over(table_1(layers))
    return Study(name, base, arms, METRICS, first(seeds), smallest_difference=0.02, stands_for=stands_for)


def _paper(name: str, model: Json, training: Json, layers: list[int]) -> Study:
    return _study(name, model, {"kind": name}, training, 3, layers=layers)


SUITE = Suite(
    name="verma-fgsm",
    version=1,
    summary="accuracy under one gradient step, beside many steps and signs of masked gradients",
    source="Manifold Mixup (arXiv:1806.05236), Table 7 and appendix D",
    budgets={
        "quick": (_study("digits", CONVNET, DIGITS, brisk(30, lr=0.05), 10, layers=[0, 1, 2], stands_for="cifar10"),),
        "standard": (
            _study("cifar10", PREACT18, {"kind": "cifar10"}, brief(60, precision="bf16"), 3, layers=[0, 1, 2]),
        ),
        "paper": (
            _paper("cifar10", PREACT18, stepwise(1200, [400, 800]), [0, 1, 2]),
            _paper("cifar100", PREACT18, stepwise(1200, [400, 800]), [0, 1, 2]),
            # The paper says "WideResNet20-10"; no such network can be built of blocks of equal depth.
            _paper("svhn", {"kind": "wide_resnet", "depth": 28, "widen": 10}, stepwise(400, [200, 300]), [0, 1]),
        ),
    },
)
