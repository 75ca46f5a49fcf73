"""What mixing does where few labels are known: a promise of the slides that their paper has no table for."""

from mmix.suites.ingredients import DIGITS, MNIST, NO_ATTACKS, SMALL_MLP, at_the_end, first, table_1
from mmix.suites.study import Json, Study, over
from mmix.suites.suite import Suite

METRICS = ("error", "nll", "brier")
STEPS = 1_000
"""Of the optimiser in each run of the quick budget, whatever the number of labels: few labels aren't few steps."""


def _study(data: Json, *, labels: int, classes: int, epochs: int, batch: int, seeds: int, every: Json) -> Study:
    assert labels * classes >= batch
    return Study(
        name=f"{labels}-a-class",
        base={
            "model": SMALL_MLP,
            "data": {**data, "labels_per_class": labels},
            "training": {
                "epochs": epochs,
                "batch_size": batch,
                "optimiser": {"kind": "sgd", "lr": 0.05},
                "schedule": {"kind": "cosine"},
            },
            "evaluation": every,
        },
        arms=over(table_1([0, 1, 2])),
        metrics=METRICS,
        seeds=first(seeds),
        smallest_difference=0.01,
    )


def _digits(labels: int) -> Study:
    batch = min(50, 10 * labels)
    epochs = max(40, STEPS * batch // (10 * labels))
    return _study(DIGITS, labels=labels, classes=10, epochs=epochs, batch=batch, seeds=20, every=at_the_end(epochs))


def _mnist(labels: int, seeds: int) -> Study:
    batch = min(100, 10 * labels)
    epochs = max(50, 5 * STEPS * batch // (10 * labels))
    return _study(MNIST, labels=labels, classes=10, epochs=epochs, batch=batch, seeds=seeds, every=NO_ATTACKS)


SUITE = Suite(
    name="few-labels",
    version=1,
    summary="input and Manifold Mixup where few labels of each class are known",
    source="the slides, what Manifold Mixup can do for you",
    budgets={
        "quick": tuple(_digits(labels) for labels in (2, 5, 10, 50)),
        "standard": tuple(_mnist(labels, 10) for labels in (10, 100)),
        "paper": tuple(_mnist(labels, 20) for labels in (2, 5, 10, 50, 100, 500)),
    },
)
