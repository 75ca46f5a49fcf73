"""What can decide a claim: the union of rules, each a question to a suite's evidence.

`studies` names the studies (or pools) that may decide; where it is empty, all that have the arms and the metric do.
"""

from dataclasses import dataclass

Studies = tuple[str, ...]


@dataclass(frozen=True)
class Better:
    """In each pair the first arm is better than the second, by each metric; so many of these answers, or all."""

    pairs: tuple[tuple[str, str], ...]
    metrics: tuple[str, ...]
    needed: int | None = None
    studies: Studies = ()


@dataclass(frozen=True)
class Rising:
    """The metric gets better along these arms: the last is better than the first, and no step goes the other way."""

    arms: tuple[str, ...]
    metric: str
    studies: Studies = ()


@dataclass(frozen=True)
class Within:
    """The arm's mean lies between these bounds, in the metric's unit."""

    arm: str
    metric: str
    low: float = float("-inf")
    high: float = float("inf")
    studies: Studies = ()


@dataclass(frozen=True)
class Changed:
    """The arm's metric is the other arm's, changed by a share between these bounds: -0.2 is a fifth less."""

    arm: str
    other: str
    metric: str
    low: float = float("-inf")
    high: float = float("inf")
    studies: Studies = ()


@dataclass(frozen=True)
class Correlated:
    """Over an arm's units two metrics correlate by at least so much."""

    arm: str
    metric: str
    other: str
    at_least: float
    studies: Studies = ()


@dataclass(frozen=True)
class Growing:
    """What the arm gains over the other is larger in the upper quarter of the units by `by` than in the lower one."""

    arm: str
    other: str
    metric: str
    by: str
    studies: Studies = ()


@dataclass(frozen=True)
class Lower:
    """One arm has less of one accuracy than of another one; of `error`, its complement is meant."""

    arm: str
    metric: str
    than: str
    studies: Studies = ()


@dataclass(frozen=True)
class Published:
    """The figures of a published table, where they were measured in its setting and at its budget."""

    source: str
    locator: str
    metric: str


@dataclass(frozen=True)
class NotRun:
    """Nothing here can decide it, and why."""

    why: str


Measurable = Better | Rising | Within | Changed | Correlated | Growing | Lower
"""What the arms of one study can answer."""

Decision = Measurable | Published | NotRun
