"""The difference of two arms over the units that both have: Student's paired t, and what pairing bought."""

from dataclasses import dataclass
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from mmix.comparison.sample import Interval, are_equal, interval, two_sided

Values = NDArray[np.float64]


@dataclass(frozen=True)
class Paired:
    """arm - baseline over n pairs; None stands for what these pairs can't tell.

    std_unpaired: what the spread of a difference would be, were the two uncorrelated. gain: std / std_unpaired, below
    1 where pairing helped.
    """

    n: int
    mean: float | None = None
    std: float | None = None
    interval: Interval | None = None
    t: float | None = None
    p: float | None = None
    correlation: float | None = None
    std_unpaired: float | None = None
    gain: float | None = None


def compare(arm: Values, baseline: Values) -> Paired:
    """Compares two arms whose values at one place belong to one unit. arm, baseline: (n,).

    Source: Student (1908). As scipy.stats.ttest_rel, but without t where all differences are equal.
    """
    difference = arm - baseline
    n = len(difference)
    if n == 0:
        return Paired(n=0)
    mean = float(difference.mean())
    if n == 1:
        return Paired(n=1, mean=mean)
    correlation, unpaired = _correlation(arm, baseline), sqrt(arm.var(ddof=1) + baseline.var(ddof=1))
    if are_alike(arm, baseline):
        return Paired(n=n, mean=mean, std=0.0, correlation=correlation, std_unpaired=unpaired)
    std = float(difference.std(ddof=1))
    t = mean / (std / sqrt(n))
    return Paired(
        n=n,
        mean=mean,
        std=std,
        interval=interval(mean=mean, std=std, n=n),
        t=t,
        p=two_sided(t, degrees=n - 1),
        correlation=correlation,
        std_unpaired=unpaired,
        gain=std / unpaired,
    )


def are_alike(arm: Values, baseline: Values) -> bool:
    """Whether all differences are one number, up to the rounding of what they are differences of."""
    return are_equal(arm - baseline, scale=float(max(np.abs(arm).max(), np.abs(baseline).max())))


def _correlation(arm: Values, baseline: Values) -> float | None:
    if len(arm) < 3 or are_equal(arm) or are_equal(baseline):  # any two pairs correlate perfectly
        return None
    return float(np.corrcoef(arm, baseline)[0, 1])
