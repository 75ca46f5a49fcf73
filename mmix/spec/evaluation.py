"""What to measure beyond the metrics of predictions, and the names of all metrics."""

import re
from typing import Annotated, Literal

from pydantic import Field

from mmix.spec.part import Part

Eps = Annotated[int, Field(ge=0, le=255)]


class Fgsm(Part):
    """One signed gradient step of eps/255 in pixel space (Goodfellow et al., 2015)."""

    kind: Literal["fgsm"]
    eps: Annotated[tuple[Eps, ...], Field(min_length=1, max_length=32, strict=False)] = (1, 2, 4, 8)


class Evaluation(Part):
    """What to measure after the last epoch; attacks run on the network of the last epoch only."""

    attacks: Annotated[tuple[Fgsm, ...], Field(max_length=8, strict=False)] = (Fgsm(kind="fgsm"),)


METRICS = ("error", "nll", "brier")
"""Metrics of predictions, measured on the test split after every epoch."""

SELECTIONS = ("last", "median_of_last_ten", "best_on_test")
"""Which epochs a result speaks of. `last` is the reported one; `best_on_test` is an oracle."""

_ATTACK = re.compile(r"^fgsm_accuracy@pixel:(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)/255$")
METRIC_NAMES_HELP = ", ".join((*METRICS, "fgsm_accuracy@pixel:<0..255>/255"))


def fgsm_metric(eps: int) -> str:
    """The name under which FGSM accuracy at eps/255 in pixel space is stored."""
    return f"fgsm_accuracy@pixel:{eps}/255"


def is_metric(name: str) -> bool:
    """Whether results may be stored under this name."""
    return name in METRICS or _ATTACK.match(name) is not None


def higher_is_better(metric: str) -> bool:
    """Whether a leaderboard puts the largest value first."""
    return "accuracy" in metric
