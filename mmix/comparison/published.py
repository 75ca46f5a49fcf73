"""Whether a published figure is what was measured here, and how sure that is."""

from dataclasses import dataclass
from math import sqrt
from typing import Literal

from mmix.comparison.sample import LEVEL, Interval, Sample, quantile, two_sided

RestsOn = Literal["both spreads", "both spreads, published as of one run", "measured spread", "published spread"]


@dataclass(frozen=True)
class Figure:
    """A published mean over n runs (None: unknown) with their sample standard deviation (None: not given)."""

    value: float
    spread: float | None = None
    n: int | None = None


@dataclass(frozen=True)
class Deviation:
    """measured - published: by how many standard errors z, and the 95 % interval of the difference.

    p is of no difference at all, from Student's t with so many degrees of freedom. `rests_on` says which spreads the
    standard error is made of, and so what was assumed of the other.
    """

    difference: float
    standard_error: float
    z: float
    degrees: float
    p: float
    interval: Interval
    rests_on: RestsOn


@dataclass(frozen=True)
class _Error:
    """A standard error, squared, with its degrees of freedom."""

    variance: float
    degrees: float
    rests_on: RestsOn


def set_beside(measured: Sample, published: Figure) -> Deviation | None:
    """How far the measured mean is from the published one; None where no spread is known, or all are 0.

    With both spreads and both n it is Welch's test. A published figure without its n is taken as one run, which makes
    z smaller, never larger. A spread that one side lacks is taken to be the other's, which may err either way.
    Source: Welch (1947), with Satterthwaite's degrees of freedom.
    """
    if measured.mean is None:
        return None
    error = _both(measured, published) or _measured_alone(measured, published) or _published_alone(measured, published)
    if error is None or error.variance == 0:
        return None
    difference, standard_error = measured.mean - published.value, sqrt(error.variance)
    half = quantile(error.degrees, level=LEVEL) * standard_error
    return Deviation(
        difference=difference,
        standard_error=standard_error,
        z=difference / standard_error,
        degrees=error.degrees,
        p=two_sided(difference / standard_error, degrees=error.degrees),
        interval=(difference - half, difference + half),
        rests_on=error.rests_on,
    )


def _both(measured: Sample, published: Figure) -> _Error | None:
    if measured.std is None or published.spread is None or published.n == 1:  # one run has no spread over runs
        return None
    ours = measured.std**2 / measured.n
    if published.n is None:
        return _Error(ours + published.spread**2, measured.n - 1, "both spreads, published as of one run")
    theirs = published.spread**2 / published.n
    weights = ours**2 / (measured.n - 1) + theirs**2 / (published.n - 1)
    return _Error(ours + theirs, (ours + theirs) ** 2 / weights, "both spreads") if weights > 0 else None


def _measured_alone(measured: Sample, published: Figure) -> _Error | None:
    if measured.std is None:
        return None
    return _Error(measured.std**2 * (1 / measured.n + 1 / (published.n or 1)), measured.n - 1, "measured spread")


def _published_alone(measured: Sample, published: Figure) -> _Error | None:
    if published.spread is None or published.n is None or published.n < 2:
        return None
    return _Error(published.spread**2 * (1 / published.n + 1 / measured.n), published.n - 1, "published spread")
