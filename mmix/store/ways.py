"""Ways to the best groups: none is short for all filters, so a sample of the groups says which one is.

- `all`: along all means, past groups that the filters don't choose. Short where they choose many.
- `data`, `model`, `mixing`, `epochs`, `loss`: the same along the means of those groups that have what is asked for.
- `cells`: to the first group of each cell, and from there along those cells that can hold one of the best. Short
  where the filters name several of what decides about the means, however far down these groups stand.
- `numbers`: to all standings whose group has these facets, which are then sorted. Short where they are few. Facets are
  looked for by a number of 32 bits each, which may be another's, too.
- `words`: the same by the facets themselves, several times as far: for when a number was another's.
- `counts`: to all groups with so many seeds, likewise.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Literal

Part = Literal["data", "model", "mixing", "epochs", "loss"]
"""What makes a cell."""
Walk = Literal["all"] | Part
Way = Walk | Literal["cells", "numbers", "words", "counts"]

FACETS: dict[Part, str] = {
    "data": "data",
    "model": "model.kind",
    "mixing": "mixing.kind",
    "epochs": "training.epochs",
    "loss": "training.loss",
}
"""The facet that says the same."""

SHARE = 64
"""One standing of so many is in the sample."""
PLACES = 4
"""Of so many of those that are chosen, the sample tells where they are met."""

# Microseconds, about: to pass a standing, to fetch one by its count of seeds and sort it, to enter a cell, to fetch one
# by its facets and sort it, and to find out which have these.
_STEP, _FETCH, _ENTER, _TAKE, _MEET = 0.7, 2.0, 4.0, 0.8, 700.0


@dataclass(frozen=True)
class Chosen:
    """Which standings, in which order: `falling` puts the largest mean first, and `after` is where the page begins.

    `cell` is what their cells must have. With their facets they can have no other kinds than `kinds`.
    """

    metric: str
    selection: str
    falling: bool
    cell: Mapping[Part, object]
    kinds: Mapping[Part, Sequence[str]]
    facets: tuple[str, ...]
    min_n: int
    after: tuple[float, str] | None


@dataclass(frozen=True)
class Met:
    """Of the sample, how many are met on a walk, and as which of these, counted from 1, the first that are chosen."""

    count: int
    places: Sequence[int]


@dataclass(frozen=True)
class Sample:
    """What filters leave of a sample of the standings.

    Of all, `here` lie in the `cells` that are left, `enough` have as many seeds, and `hits` are chosen by all filters.
    """

    walks: Mapping[Walk, Met]
    here: int
    enough: int
    hits: int
    cells: int


@dataclass(frozen=True)
class Try:
    """A walk that may prove shorter, to be given up where it has passed so many standings."""

    walk: Walk
    most: int


@dataclass(frozen=True)
class Plan:
    """The way to go, perhaps after a try."""

    way: Way
    first: Try | None = None


def plan(sample: Sample, chosen: Chosen, *, limit: int) -> Plan:
    """The way that takes least time if things are as bad as the sample allows; first a walk that is shorter if not.

    A sample of so few can't tell groups that begin far down from groups that are merely rare.
    """
    costs = _costs(sample, chosen, limit)
    way = min(costs, key=lambda way: costs[way])
    walk = min(sample.walks, key=lambda walk: sample.walks[walk].count)
    # Twice the count that it takes to meet so many where they lie evenly is hardly ever needed, if they do.
    most = 2 * limit * sample.walks[walk].count / max(sample.hits, 1)
    if walk == way or 0.8 * most * _STEP > costs[way]:
        return Plan(way)
    return Plan(way, Try(walk, int(most)))


def _costs(sample: Sample, chosen: Chosen, limit: int) -> dict[Way, float]:
    costs: dict[Way, float] = {walk: _at_worst(met, limit) * _STEP for walk, met in sample.walks.items()}
    doubt = sqrt(sample.hits)
    if chosen.cell or chosen.kinds:
        passed_for_one = sample.here / max(sample.hits - doubt, 0.5)
        entered = sample.cells * _ENTER + min(sample.here * SHARE, (sample.cells + 3 * limit) * passed_for_one) * _STEP
        costs["cells"] = entered + 2 * limit * passed_for_one * _STEP
    if chosen.cell or chosen.facets:
        costs["numbers"] = _MEET + (sample.hits + doubt + 1) * SHARE * _TAKE
    if chosen.min_n > 1:
        costs["counts"] = (sample.enough + 1) * SHARE * _FETCH
    return costs


def _at_worst(met: Met, limit: int) -> float:
    """How many standings a walk passes until there are `limit` groups, if there are none before the sample's first."""
    if len(met.places) < PLACES:
        return float(met.count * SHARE)
    first, last = met.places[0], met.places[-1]
    gap = (last - first) / (PLACES - 1)
    return max(0.0, first - gap) * SHARE + gap * limit
