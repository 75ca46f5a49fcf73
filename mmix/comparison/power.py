"""How likely a paired t test is to see a difference of a given size, and how many seeds that takes."""

from dataclasses import dataclass
from itertools import count
from math import ceil, floor, isfinite, isnan, sqrt

from scipy import special

from mmix.comparison.sample import LEVEL, quantile
from mmix.errors import SpecError

WANTED = 0.8  # Source: Cohen (1988), the convention
_MANY = 1_000_000  # seeds from which on t is the normal distribution to every digit that matters


@dataclass(frozen=True)
class Power:
    """The chance of calling a true `difference` at `level`, at the observed spread, and the n for 80 %."""

    difference: float
    power: float
    n_for_80_percent: int
    level: float


def of(*, difference: float, std: float, n: int, arms: int) -> Power:
    """The power of n >= 2 pairs whose differences spread by std > 0, where so many arms share a baseline.

    level: LEVEL / arms, which Holm asks of the smallest p: the power that each arm has, whatever the others do.
    """
    level = LEVEL / arms
    return Power(
        difference=difference,
        power=attained(difference=difference, std=std, n=n, level=level),
        n_for_80_percent=planned(difference=difference, std=std, arms=arms),
        level=level,
    )


def planned(*, difference: float, std: float, arms: int = 1, power: float = WANTED) -> int:
    """How many seeds show a true difference with this power, if paired differences spread by `std`.

    arms: how many share the baseline; each is tested at LEVEL / arms, Holm's first and hardest step.

    Raises: SpecError where a number can't be meant.
    """
    _check(difference=difference, std=std, arms=arms, power=power)
    level = LEVEL / arms
    normal = float(((special.ndtri(1 - level / 2) + special.ndtri(power)) * std / difference) ** 2)
    if normal > _MANY:
        return ceil(normal)
    candidates = count(max(2, floor(normal)))  # t needs a few more than the normal distribution, never fewer
    return next(n for n in candidates if attained(difference=difference, std=std, n=n, level=level) >= power)


def attained(*, difference: float, std: float, n: int, level: float = LEVEL) -> float:
    """The power of the two-sided paired t test of n pairs: two tails of the noncentral t distribution."""
    degrees, noncentrality = n - 1, abs(difference) * sqrt(n) / std
    critical = quantile(degrees, level=level)
    below, within = (float(special.nctdtr(degrees, noncentrality, bound)) for bound in (-critical, critical))
    # scipy has no number where such a probability underflows, far out where the difference is plain
    return 1 - (0.0 if isnan(within) else within) + (0.0 if isnan(below) else below)


def _check(*, difference: float, std: float, arms: int, power: float) -> None:
    for name, value in (("difference", difference), ("std", std)):
        if not (isfinite(value) and value > 0):
            raise SpecError(f"{name} is {value}: give a number above 0, in the metric's unit")
    if arms < 1:
        raise SpecError(f"arms is {arms}: give how many are compared with the baseline, at least 1")
    if not 0 < power < 1:
        raise SpecError(f"power is {power}: give a fraction between 0 and 1, such as 0.8")
