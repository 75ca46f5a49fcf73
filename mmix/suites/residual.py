"""The studies of Manifold Mixup's Tables 1 and 2, which differ in nothing but the data."""

from mmix.suites.ingredients import (
    CONVNET,
    ERM,
    FEW_IMAGES,
    NO_ATTACKS,
    PREACT18,
    PREACT34,
    THIN_PREACT18,
    WRN28,
    at_the_end,
    brief,
    first,
    input_mixup,
    stepwise,
    table_1,
)
from mmix.suites.study import Budget, Json, Preset, Study, over

METRICS = ("error", "nll", "brier", "forward_backward_passes", "device_seconds")
NOTICEABLE = 0.002
"""A difference in error that would matter: a tenth of what the paper gains over ERM on CIFAR-10."""
PEERS = {"erm": ERM, "input": input_mixup(1.0), "cutmix": {"kind": "cutmix", "alpha": 1.0}}
BLOCKS = [0, 1, 2]  # the input, after the first residual block, after the second


def budgets(data: Json) -> dict[Budget, tuple[Study, ...]]:
    """All three: thin networks for ten epochs on few images, PreActResNet18 for 60 epochs, and what the paper did."""
    few = {**data, "train_size": FEW_IMAGES}
    return {
        "quick": (_few("preact18", few, THIN_PREACT18, 0.1, table_1(BLOCKS)), _few("peers", few, CONVNET, 0.02, PEERS)),
        "standard": (_study("preact18", data, PREACT18, brief(60, precision="bf16"), table_1(BLOCKS)),),
        "paper": (
            _study("preact18", data, PREACT18, stepwise(1200, [400, 800]), table_1(BLOCKS)),
            _study("preact34", data, PREACT34, stepwise(1200, [400, 800]), table_1(BLOCKS)),
            _study("wrn28", data, WRN28, stepwise(400, [200, 300]), table_1([0, 1])),
            _study("peers", data, PREACT18, stepwise(1200, [400, 800]), PEERS),
            _study(
                "preact18-readme", data, PREACT18, stepwise(2000, [500, 1000, 1500]), table_1(BLOCKS), preset="readme"
            ),
            _study("preact18-code", data, PREACT18, stepwise(300, [150, 225]), table_1(BLOCKS), preset="code"),
            _study("wrn28-code", data, WRN28, stepwise(400, [200, 300]), table_1(BLOCKS), preset="code"),
        ),
    }


def _study(
    name: str, data: Json, model: Json, training: Json, arms: dict[str, Json], *, preset: Preset = "paper"
) -> Study:
    return Study(
        name=name,
        base={"model": model, "data": data, "training": training, "evaluation": NO_ATTACKS},
        arms=over(arms),
        metrics=METRICS,
        seeds=first(5),
        smallest_difference=NOTICEABLE,
        preset=preset,
    )


def _few(name: str, data: Json, model: Json, lr: float, arms: dict[str, Json]) -> Study:
    return Study(
        name=name,
        base={"model": model, "data": data, "training": brief(10, lr=lr), "evaluation": at_the_end(10)},
        arms=over(arms),
        metrics=METRICS,
        seeds=first(3),
        smallest_difference=NOTICEABLE,
    )
