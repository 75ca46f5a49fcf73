"""Which epochs a result speaks of."""

from collections.abc import Mapping, Sequence
from statistics import median

from mmix.spec.evaluation import METRICS, TRAINING_METRICS

LAST_EPOCHS = 10  # Source: the README of hongyi-zhang/mixup, "median of the last ten epochs"


def select(history: Sequence[Mapping[str, float]]) -> dict[str, dict[str, float]]:
    """The metrics of predictions by selection and name, from those of every epoch.

    `last` is the last epoch; `median_of_last_ten` is each metric's own median, absent below ten epochs;
    `best_on_test` is the epoch with the lowest test error, the earliest of equals: an oracle. Where the test split was
    not measured after every epoch there is `last` alone: the others would depend on how often one looked.
    """
    if not all(METRICS[0] in epoch for epoch in history):
        return {"last": _of(history[-1])}
    results = {"last": _of(history[-1]), "best_on_test": _of(min(history, key=lambda epoch: epoch["error"]))}
    if len(history) >= LAST_EPOCHS:
        tail = history[-LAST_EPOCHS:]
        results["median_of_last_ten"] = {name: median(epoch[name] for epoch in tail) for name in METRICS}
    return results


def _of(epoch: Mapping[str, float]) -> dict[str, float]:
    return {name: epoch[name] for name in METRICS}


def of_training(history: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """What the training says of itself, by metric: its last accuracy, and ConfMix's mean alpha first and last."""
    alphas = [epoch["confmix_alpha"] for epoch in history if "confmix_alpha" in epoch]
    named = (history[-1]["train_accuracy_weighted"], *(alphas[:1] + alphas[-1:]))
    return dict(zip(TRAINING_METRICS, named, strict=False))  # without ConfMix there is the accuracy alone
