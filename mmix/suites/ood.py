"""Whether the confidence tells images of other kinds apart: a promise of the slides, made with a question mark."""

from mmix.suites.ingredients import DIGITS, MNIST, PREACT18, SMALL_MLP, brief, brisk, first, stepwise, table_1
from mmix.suites.study import Json, Study, over
from mmix.suites.suite import Suite

NOISES: list[Json] = [{"kind": "gaussian_noise"}, {"kind": "uniform_noise"}]


def _study(name: str, model: Json, data: Json, training: Json, strange: list[Json], *, seeds: int) -> Study:
    base = {
        "model": model,
        "data": data,
        "training": training,
        "evaluation": {"attacks": [], "ood": [*strange, *NOISES]},
    }
    metrics = tuple(f"ood_auroc@{other['kind']}" for other in base["evaluation"]["ood"])
    return Study(
        name, base, over(table_1([0, 1, 2])), (*metrics, "error", "ece"), first(seeds), smallest_difference=0.02
    )


SUITE = Suite(
    name="ood",
    version=1,
    summary="AUROC of the confidence against images of other kinds",
    source="the slides, what Manifold Mixup can do for you",
    budgets={
        "quick": (_study("digits", SMALL_MLP, DIGITS, brisk(40), [], seeds=20),),
        "standard": (_study("cifar10", PREACT18, {"kind": "cifar10"}, brief(60, precision="bf16"), [], seeds=5),),
        "paper": (
            _study("mnist", SMALL_MLP, MNIST, brisk(40), [{"kind": "fashion_mnist"}], seeds=10),
            _study(
                "cifar10",
                PREACT18,
                {"kind": "cifar10"},
                stepwise(1200, [400, 800]),
                [{"kind": "svhn"}, {"kind": "cifar100"}],
                seeds=5,
            ),
        ),
    },
)
