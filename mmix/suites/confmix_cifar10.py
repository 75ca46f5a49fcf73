"""Table 2 of the ConfMix manuscript: ways to choose alpha, at the input and before the first FC layer."""

from mmix.suites.ingredients import CONVNET, ERM_ALONE, FEW_IMAGES, NO_ATTACKS, adam, at_the_end, first
from mmix.suites.study import Json, Study, over
from mmix.suites.suite import Suite

BEFORE_FC = 2
METRICS = (
    "error",
    "nll",
    "train_accuracy_weighted",
    "confmix_alpha_first",
    "confmix_alpha_last",
    "forward_backward_passes",
    "device_seconds",
)


def _ways(place: str, mixup: Json, confmix: Json, *, epochs: int) -> dict[str, Json]:
    """The five ways of Table 2, one lambda a sample; ERM for a tenth of the epochs, half-life of a half of them."""
    half_life = epochs / 2
    warm = {"kind": "confmix", "warmup_epochs": epochs // 10, **confmix}
    return {
        f"{place} alpha=0.5": {**mixup, "alpha": 0.5, "sharing": "sample"},
        f"{place} confmix": warm,
        f"{place} half confmix": {**warm, "scale": 0.5},
        f"{place} rising": {**mixup, "alpha": {"kind": "rising", "half_life": half_life}, "sharing": "sample"},
        f"{place} falling": {**mixup, "alpha": {"kind": "falling", "half_life": half_life}, "sharing": "sample"},
    }


def _arms(epochs: int) -> dict[str, Json]:
    inputs = _ways("input", {"kind": "input_mixup"}, {}, epochs=epochs)
    hidden = _ways(
        "manifold", {"kind": "manifold_mixup", "layers": [BEFORE_FC]}, {"layers": [BEFORE_FC]}, epochs=epochs
    )
    return over(ERM_ALONE | inputs | hidden)


def _study(data: Json, *, epochs: int, batch: int, evaluation: Json, seeds: int) -> Study:
    """Adam at 1e-3 and no augmentation are ours: the manuscript states neither."""
    return Study(
        name="table-2",
        base={
            "model": CONVNET,
            "data": {"kind": "cifar10", "crop_padding": 0, "flip": False, **data},
            "training": adam(epochs, batch_size=batch),
            "evaluation": evaluation,
        },
        arms=_arms(epochs),
        metrics=METRICS,
        seeds=first(seeds),
        smallest_difference=0.01,
    )


SUITE = Suite(
    name="confmix-cifar10",
    version=1,
    summary="ConfMix, schedules of alpha and constant alpha on CIFAR-10",
    source="ConfMix manuscript, section 4 and Table 2",
    budgets={
        "quick": (_study({"train_size": FEW_IMAGES}, epochs=10, batch=50, evaluation=at_the_end(10), seeds=5),),
        "standard": (_study({}, epochs=50, batch=250, evaluation=NO_ATTACKS, seeds=5),),
        "paper": (_study({}, epochs=50, batch=250, evaluation=NO_ATTACKS, seeds=10),),
    },
)
