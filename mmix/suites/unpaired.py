"""Two statistics of units that aren't pairs of arms."""

from collections.abc import Sequence
from math import atanh, sqrt, tanh

import numpy as np
from numpy.typing import NDArray
from scipy import special  # scipy.stats has both, and takes a second to load

from mmix.comparison.sample import LEVEL, Interval, quantile


def correlation(x: Sequence[float], y: Sequence[float]) -> tuple[float, Interval]:
    """Pearson's coefficient and its 95 % interval; nan where one side doesn't vary. x, y: (n,), n above 3.

    Source: Fisher (1921), as scipy.stats.pearsonr.
    """
    r = float(np.corrcoef(x, y)[0, 1])
    if not abs(r) < 1:
        return r, (r, r)
    half = float(-special.ndtri(LEVEL / 2)) / sqrt(len(x) - 3)
    return r, (tanh(atanh(r) - half), tanh(atanh(r) + half))


def welch(one: NDArray[np.float64], other: NDArray[np.float64]) -> Interval:
    """The 95 % interval of the difference of two means, one - other. one: (n,), other: (m,), both above 1.

    Source: Welch (1947), as scipy.stats.ttest_ind.
    """
    variances = [float(side.var(ddof=1)) / len(side) for side in (one, other)]
    difference, variance = float(one.mean() - other.mean()), sum(variances)
    if variance == 0:
        return difference, difference
    weights = sum(each**2 / (len(side) - 1) for each, side in zip(variances, (one, other), strict=True))
    half = quantile(variance**2 / weights) * sqrt(variance)
    return difference - half, difference + half
