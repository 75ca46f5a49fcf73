"""Which units two arms share, and which are left out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mmix.comparison.paired import Values
from mmix.comparison.question import Arm, Unit


@dataclass(frozen=True, eq=False)
class Pairs:
    """The values of two arms over the units that both have, in the order of units. arm, baseline: (n,)."""

    units: tuple[Unit, ...]
    arm: Values
    baseline: Values


@dataclass(frozen=True)
class LeftOut:
    """So many units of an arm that no difference counts, and why."""

    arm: str
    units: int
    why: str


def pair(arm: Mapping[Unit, float], baseline: Mapping[Unit, float]) -> Pairs:
    """The pairs of two arms."""
    units = tuple(sorted(arm.keys() & baseline.keys()))
    return Pairs(units, _values(arm, units), _values(baseline, units))


def left_out(arms: Sequence[Arm], baseline: Arm) -> tuple[LeftOut, ...]:
    """What stays without a pair: units that an arm has and the baseline lacks, and the other way round."""
    found = []
    for arm in arms:
        alone, missing = arm.values.keys() - baseline.values.keys(), baseline.values.keys() - arm.values.keys()
        found.append(LeftOut(arm.name, len(alone), f"the baseline {baseline.name!r} has no value for them"))
        found.append(LeftOut(arm.name, len(missing), f"only the baseline {baseline.name!r} has a value for them"))
    return tuple(each for each in found if each.units)


def _values(found: Mapping[Unit, float], units: Sequence[Unit]) -> Values:
    return np.array([found[unit] for unit in units], dtype=np.float64)
