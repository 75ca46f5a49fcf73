"""One arm by itself: its mean, what its selections would have claimed, and what it cost."""

from collections.abc import Mapping
from dataclasses import dataclass

from mmix.comparison.question import Arm, Unit
from mmix.comparison.sample import Interval, summarise


@dataclass(frozen=True)
class Moments:
    """The reported selection."""

    n: int
    mean: float | None
    std: float | None


@dataclass(frozen=True)
class Beside:
    """Another selection; `gap` is its mean minus that of `last`, over the units that have both."""

    n: int
    mean: float | None
    std: float | None
    gap: float | None


@dataclass(frozen=True)
class Description:
    """An arm over all its units, those without a pair among them."""

    name: str
    n: int
    mean: float | None
    std: float | None
    interval: Interval | None
    selections: Mapping[str, Moments | Beside]
    cost: Mapping[str, float]


def describe(arm: Arm) -> Description:
    """The arm's own numbers."""
    last = summarise(arm.values.values())
    return Description(
        name=arm.name,
        n=last.n,
        mean=last.mean,
        std=last.std,
        interval=last.interval,
        selections={"last": Moments(last.n, last.mean, last.std)}
        | {name: _beside(arm, found) for name, found in arm.selections.items() if name != "last"},
        cost=mean_cost(arm),
    )


def mean_cost(arm: Arm) -> dict[str, float]:
    """What a unit of the arm costs in the mean, of each kind that is known."""
    means = {kind: summarise(found.values()).mean for kind, found in arm.cost.items()}
    return {kind: mean for kind, mean in means.items() if mean is not None}


def _beside(arm: Arm, found: Mapping[Unit, float]) -> Beside:
    sample = summarise(found.values())
    gap = summarise(value - arm.values[unit] for unit, value in found.items() if unit in arm.values).mean
    return Beside(n=sample.n, mean=sample.mean, std=sample.std, gap=gap)
