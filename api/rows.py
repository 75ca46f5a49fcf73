"""The leaderboard's rows: what is told of each group, the same in every format."""

from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

import orjson
from pydantic import BaseModel, ValidationError

from api.boards import Cursor
from mmix.comparison import ties
from mmix.comparison.published import Figure, set_beside
from mmix.comparison.sample import Interval, Sample, interval
from mmix.spec.evaluation import DEVICE_SECONDS, MASKING, PASSES, is_attack
from mmix.spec.experiment import ExperimentSpec
from mmix.store.leaderboard import After, Aggregate, Line, Place
from mmix.suites.published import Record, matching, setting_matches

ALWAYS = (PASSES, DEVICE_SECONDS, MASKING)
"""Metrics that stand beside the others, whichever are asked for."""

Json = dict[str, Any]


class Metric(BaseModel):
    """One metric over n seeds; `std` is the sample standard deviation, null for a single seed."""

    mean: float
    std: float | None
    n: int


class BestSeed(BaseModel):
    """The value of the best seed, an optimistic figure: the more seeds, the better it looks."""

    seed: int
    value: float


class Cost(BaseModel):
    """What one run of the group took, on average over its counted runs: epochs, passes, device-seconds."""

    epochs: int | None
    forward_backward_passes: float | None
    device_seconds: float | None


class Masking(BaseModel):
    """The share, of n runs that were examined, whose attacks probably failed for want of a gradient."""

    suspected: float | None
    n: int


class PublishedFigure(BaseModel):
    """A published figure of the same data, model and method, and by how many standard errors the group is above it."""

    id: str
    source: str
    locator: str
    value: float
    spread: float | None
    n: int | None
    selection: str
    z: float | None
    p: float | None
    same_setting: bool
    same_budget: bool
    differences: list[str]
    verified: bool
    suspicious: str | None


class LeaderboardRow(BaseModel):
    """One group: a spec over its seeds. Each seed counts once, however often it was run.

    `intervals` are 95 % intervals of the means (Student's t), null where nothing tells the spread. `tied`: the interval
    of the metric that sorts overlaps that of the leaderboard's best row; `tied_with_previous`: that of the row above.
    `masking` is there where the row shows an attack, `published` where it was asked for.
    """

    group: str
    spec: dict[str, Any]
    label: str
    n: int
    metrics: dict[str, Metric]
    intervals: dict[str, tuple[float, float] | None]
    best: dict[str, BestSeed | None]
    cost: Cost
    tied: bool
    tied_with_previous: bool
    masking: Masking | None = None
    published: list[PublishedFigure] | None = None


class Leaderboard(BaseModel):
    """A page of the leaderboard, best first."""

    items: list[LeaderboardRow]
    next: str | None


def encoded(page: Json) -> bytes:
    """A page as JSON. Its specs are most of it, and go in as they are stored: to read and write them takes longer."""
    items = [{**row, "spec": orjson.Fragment(row["spec"])} for row in page["items"]]
    return orjson.dumps({**page, "items": items})


def rows(places: Sequence[Place], *, sort: str, cursor: Cursor | None, with_published: bool) -> list[Json]:
    """The rows of a page, as JSON data, but for their specs, which are JSON already."""
    found = [_row(place) for place in places]
    for row, tied, tied_with_previous in zip(found, *_tied(found, sort, cursor), strict=True):
        row["tied"], row["tied_with_previous"] = tied, tied_with_previous
    if with_published:
        for row, place in zip(found, places, strict=True):
            row["published"] = list(_published(place, sort))
    return found


def following(rows: Sequence[Json], *, sort: str, cursor: Cursor | None, after: After) -> Cursor:
    """Where the page after these rows begins."""
    best = cursor.best if cursor is not None else rows[0]["intervals"][sort]
    return Cursor(after=after, best=best, previous=rows[-1]["intervals"][sort])


def bounds(aggregate: Aggregate) -> Interval | None:
    """The 95 % interval of the mean."""
    if aggregate.std is None or aggregate.std == 0:
        return None
    half = _of_unit_spread(aggregate.n) * aggregate.std
    return aggregate.mean - half, aggregate.mean + half


def masking(line: Line) -> Json | None:
    """Whether attacks on the group can be believed; None where none is shown."""
    if not any(map(is_attack, line.metrics)):
        return None
    known = line.always.get(MASKING)
    return {"suspected": None, "n": 0} if known is None else {"suspected": known.mean, "n": known.n}


def cost(line: Line) -> Json:
    """What a run of the group took, on average, as far as it is known."""
    passes, seconds = (line.always.get(name) for name in (PASSES, DEVICE_SECONDS))
    return {
        "epochs": line.epochs,
        "forward_backward_passes": None if passes is None else passes.mean,
        "device_seconds": None if seconds is None else seconds.mean,
    }


def _row(place: Place) -> Json:
    told = masking(place)
    return {
        "group": place.group,
        "spec": place.spec,
        "label": place.label,
        "n": place.n,
        "metrics": {name: {"mean": each.mean, "std": each.std, "n": each.n} for name, each in place.metrics.items()},
        "intervals": {name: bounds(each) for name, each in place.metrics.items()},
        "best": {
            name: each.best and {"seed": each.best.seed, "value": each.best.value}
            for name, each in place.metrics.items()
        },
        "cost": cost(place),
        **({} if told is None else {"masking": told}),
    }


def _tied(rows: Sequence[Json], sort: str, cursor: Cursor | None) -> tuple[list[bool], list[bool]]:
    """Of each row, whether it is tied with the best and with the one above; the best is where another is with it."""
    if not rows:
        return [], []
    ranked = [row["intervals"][sort] for row in rows]
    if cursor is not None:
        return ties.with_best([cursor.best, *ranked])[1:], ties.with_previous(ranked, before=cursor.previous)
    with_best = ties.with_best(ranked)
    return [any(with_best[1:]), *with_best[1:]], [False, *ties.with_previous(ranked, before=None)[1:]]


def _published(place: Place, metric: str) -> Iterator[Json]:
    try:
        spec = ExperimentSpec.model_validate_json(place.spec)
    except ValidationError:  # stored by another mmix, with kinds that this one doesn't know
        return
    for record in matching(spec, metric):
        likeness = setting_matches(record, spec)
        beside = (
            set_beside(_sample(place.metrics[metric]), _figure(record)) if record.setting.realisations is None else None
        )
        yield {
            "id": record.id,
            "source": record.source,
            "locator": record.locator,
            "value": record.value,
            "spread": record.spread,
            "n": record.n,
            "selection": record.selection,
            "z": None if beside is None else beside.z,
            "p": None if beside is None else beside.p,
            "same_setting": likeness.same_setting,
            "same_budget": likeness.same_budget,
            "differences": list(likeness.differences),
            "verified": record.verified,
            "suspicious": record.suspicious,
        }


def _figure(record: Record) -> Figure:
    return Figure(value=record.value, spread=record.spread, n=record.n)


def _sample(found: Aggregate) -> Sample:
    return Sample(n=found.n, mean=found.mean, std=found.std, interval=bounds(found))


@cache
def _of_unit_spread(n: int) -> float:
    """Half the interval of the mean of n values whose standard deviation is 1."""
    found = interval(mean=0.0, std=1.0, n=n)
    assert found is not None
    return found[1]
