"""An interval that takes the spread as it is found, over seeds or over seeds and test images."""

from dataclasses import dataclass
from math import sqrt
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import special

from mmix.comparison.paired import Values
from mmix.comparison.sample import LEVEL, Interval, quantile

RESAMPLES = 5_000
SEED = 20_261
_BLOCK = 2_000_000  # draws at a time: 16 MB

Over = Literal["seeds", "seeds and test images"]
Table = NDArray[np.float64]


@dataclass(frozen=True)
class Bootstrap:
    """The interval of a mean difference, and what was drawn again."""

    interval: Interval
    over: Over
    resamples: int


def over_seeds(difference: Values) -> Bootstrap | None:
    """The interval if other seeds had been drawn; None for fewer than two, and for equal ones. difference: (n,)."""
    return _bootstrap(difference, None, over="seeds")


def over_seeds_and_images(table: Table) -> Bootstrap | None:
    """The interval if other seeds and other test images had been drawn; None for fewer than two seeds.

    table: (n, images), the difference of each image under each seed. Seeds and images are drawn independently, so that
    an image that misleads every seed is one image.
    Source: Owen (2007), "The pigeonhole bootstrap", which draws rows and columns of the table itself.
    Differs: that counts three times what a seed does to an image, most of the spread here. We draw the means of rows,
        which have it once, and the means of columns shrunk to what they have beside it.
    """
    return _bootstrap(table.mean(axis=1), table, over="seeds and test images")


def _bootstrap(difference: Values, table: Table | None, *, over: Over) -> Bootstrap | None:
    if len(difference) < 2:
        return None
    draw = np.random.default_rng(SEED)
    means = float(difference.mean()) + _of_seeds(draw, difference)
    if table is not None and table.shape[1] > 1:
        means += _of_images(draw, table)
    low, high = (float(bound) for bound in np.quantile(means, [LEVEL / 2, 1 - LEVEL / 2]))
    return Bootstrap(interval=(low, high), over=over, resamples=RESAMPLES) if low < high else None


def _of_seeds(draw: np.random.Generator, difference: Values) -> Values:
    """How far the mean moves with other seeds.

    Stretched so that over normal differences the interval is Student's: the percentiles of few values are too narrow.
    Source: Hesterberg (2015), "What teachers should know about the bootstrap", who widens the percentiles instead.
    """
    n = len(difference)
    stretch = quantile(n - 1) / -special.ndtri(LEVEL / 2) * sqrt(n / (n - 1))
    off = difference - difference.mean()
    means = [off[draw.integers(0, n, size=(rows, n))].mean(axis=1) for rows in _blocks(n)]
    return float(stretch) * np.concatenate(means)


def _of_images(draw: np.random.Generator, table: Table) -> Values:
    """How far the mean moves with other images.

    Exponential weights in place of draws are the Bayesian bootstrap (Rubin 1981), alike over many images. The weights
    of k images whose columns have one mean add up to a gamma of shape k: of 10,000 images few differ in their errors.
    """
    off, images = np.unique(table.mean(axis=0) - table.mean(), return_counts=True)
    found = []
    for rows in _blocks(len(off)):
        weights = draw.standard_gamma(images, size=(rows, len(off)))
        found.append(weights @ off / weights.sum(axis=1))
    return _shrinkage(table) * np.concatenate(found)


def _shrinkage(table: Table) -> float:
    """The share, as a standard deviation, of the columns' spread that isn't the seeds' doing.

    Source: the components of variance of a two-way table, by the method of moments.
    """
    n, images = table.shape
    rows, columns = table.mean(axis=1, keepdims=True), table.mean(axis=0, keepdims=True)
    found = float(columns.var(ddof=1))
    rest = float(((table - rows - columns + table.mean()) ** 2).sum()) / ((n - 1) * (images - 1))
    return sqrt(max(0.0, 1 - rest / n / found)) if found > 0 else 0.0


def _blocks(width: int) -> list[int]:
    """How many resamples are drawn at a time, so that memory stays small."""
    rows = max(1, _BLOCK // width)
    return [min(rows, RESAMPLES - start) for start in range(0, RESAMPLES, rows)]
