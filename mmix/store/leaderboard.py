"""The leaderboard: groups in the order of one metric, with what each comes to over its seeds."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from mmix.spec.evaluation import higher_is_better
from mmix.spec.facets import kinds_with
from mmix.store import searches
from mmix.store.samples import Samples
from mmix.store.ways import FACETS, Chosen, Part

_AT_ONCE = 2000
_GROUP, _STANDING = 7, 7  # columns of each


@dataclass(frozen=True)
class Filters:
    """What a group must be to be listed; None admits all. They choose groups, never seeds: a group is whole or absent.

    `facets` are words of `mmix.spec.facets`, and `tag=`, `owner=` and `device=`: a group has the tags and owners of all
    its experiments, and the kinds of devices that its counted runs were made on. `min_n` is of the metric that sorts.
    """

    data: str | None = None
    model: str | None = None
    mixing: str | None = None
    epochs: int | None = None
    loss: str | None = None
    facets: tuple[str, ...] = ()
    min_n: int = 1


@dataclass(frozen=True)
class Best:
    """The value of the best seed."""

    seed: int
    value: float


@dataclass(frozen=True)
class Aggregate:
    """One metric over n seeds; `std` is the sample standard deviation, None for a single seed."""

    mean: float
    std: float | None
    n: int
    best: Best | None


@dataclass(frozen=True)
class Line:
    """One group in one line; `n` is of the metric that sorts, `always` has metrics that are told for every group."""

    group: str
    label: str
    data: str
    model: str
    mixing: str
    epochs: int | None
    loss: str | None
    n: int
    metrics: dict[str, Aggregate]
    always: dict[str, Aggregate]


@dataclass(frozen=True)
class Place(Line):
    """One group of a page of the leaderboard, with its spec as JSON."""

    spec: str


@dataclass(frozen=True)
class After:
    """The last place of the page before."""

    mean: float
    digest: str


_Found = dict[str, dict[str, Aggregate]]
"""Standings by their group and metric."""


def page(
    session: Session,
    *,
    filters: Filters,
    sort: str,
    selection: str,
    metrics: Sequence[str],
    after: After | None,
    limit: int,
    always: Sequence[str] = (),
    samples: Samples | None = None,
) -> list[Place]:
    """The best groups by `sort`, at most `limit`, with these metrics, or all but `always` where `metrics` is empty.

    `always` are metrics of the last epoch that are told apart from the others, whatever is asked for. Who asks often
    hands in the `samples` that were read before.
    """
    chosen = _chosen(filters, sort=sort, selection=selection, after=after)
    rows = searches.best(session, chosen, samples or Samples(), limit=limit)
    digests = [row.digest for row in rows]
    wanted = [*metrics, sort] if metrics else None
    shown, told = _standings(session, digests, selection=selection, metrics=wanted, always=always)
    apart = () if metrics else set(always) - {sort}
    return [_place(row, _without(shown[row.digest], apart), told[row.digest]) for row in rows]


def listing(
    session: Session,
    *,
    filters: Filters,
    sort: str,
    selection: str,
    metrics: Sequence[str],
    after: After | None,
    limit: int | None,
    always: Sequence[str],
) -> Iterator[list[Line]]:
    """The groups in the same order, all or at most `limit`, some at a time; memory stays small however many."""
    names = list(dict.fromkeys([sort, *metrics]))
    others = [*((name, selection) for name in names[1:]), *((name, "last") for name in always)]
    chosen = _chosen(filters, sort=sort, selection=selection, after=after)
    rows = searches.everything(session, chosen, others=others, limit=limit, at_once=_AT_ONCE)
    for some in rows.partitions(_AT_ONCE):
        yield [_line(row, names, always) for row in some]


def _chosen(filters: Filters, *, sort: str, selection: str, after: After | None) -> Chosen:
    known = kinds_with(word.partition("=")[0] for word in filters.facets)
    kinds: dict[Part, tuple[str, ...]] = {part: names for part, names in known.items()}  # noqa: C416 - wider keys
    # Where only one kind could have these facets, its groups can be walked along.
    cell: dict[Part, object] = {part: names[0] for part, names in kinds.items() if len(names) == 1}
    cell |= {part: getattr(filters, part) for part in FACETS if getattr(filters, part) is not None}
    return Chosen(
        metric=sort,
        selection=selection,
        falling=higher_is_better(sort),
        cell=cell,
        kinds={part: names for part, names in kinds.items() if part not in cell},
        facets=filters.facets,
        min_n=filters.min_n,
        after=None if after is None else (after.mean, after.digest),
    )


def _place(row: Any, metrics: dict[str, Aggregate], always: dict[str, Aggregate]) -> Place:
    _, digest, n, spec, label, data, model, mixing, epochs, loss = row
    return Place(digest, label, data, model, mixing, epochs, loss, n, metrics, always, spec)


def _without(metrics: dict[str, Aggregate], names: Collection[str]) -> dict[str, Aggregate]:
    return {name: found for name, found in metrics.items() if name not in names}


def _line(row: Any, names: Sequence[str], always: Sequence[str]) -> Line:
    standings = [row[i : i + _STANDING] for i in range(_GROUP, len(row), _STANDING)]
    found = [
        None if standing[0] is None else _aggregate(name, standing)
        for name, standing in zip((*names, *always), standings, strict=True)
    ]
    shown = {name: each for name, each in zip(names, found, strict=False) if each is not None}
    told = {name: each for name, each in zip(always, found[len(names) :], strict=True) if each is not None}
    digest, label, data, model, mixing, epochs, loss, n = row[: _GROUP + 1]
    return Line(digest, label, data, model, mixing, epochs, loss, n, shown, told)


def _standings(
    session: Session, digests: Sequence[str], *, selection: str, metrics: Sequence[str] | None, always: Sequence[str]
) -> tuple[_Found, _Found]:
    """Of each group these metrics, all where there is no list, and of the last epoch those that are always told."""
    values = {
        "digests": list(digests),
        "selection": selection,
        "metrics": None if metrics is None else list(metrics),
        "always": list(always),
        "names": [*(metrics or ()), *always],
    }
    statement = _ALL_STANDINGS if metrics is None else _SOME_STANDINGS
    shown: _Found = defaultdict(dict)
    told: _Found = defaultdict(dict)
    for digest, metric, is_shown, is_told, *standing in session.execute(statement, values):
        found = _aggregate(metric, standing)
        if is_shown:
            shown[digest][metric] = found
        if is_told:
            told[digest][metric] = found
    return shown, told


def _aggregate(metric: str, standing: Sequence[Any]) -> Aggregate:
    n, mean, m2, low, low_seed, high, high_seed = standing
    value, seed = (high, high_seed) if higher_is_better(metric) else (low, low_seed)
    return Aggregate(
        mean=mean,
        std=sqrt(m2 / (n - 1)) if n > 1 else None,
        n=n,
        best=None if seed is None else Best(seed=seed, value=value),
    )


_OF_GROUPS = """
    SELECT * FROM (
        SELECT digest, metric,
            selection = :selection AND metric = ANY (coalesce(CAST(:metrics AS text[]), ARRAY[metric])) AS is_shown,
            selection = 'last' AND metric = ANY (CAST(:always AS text[])) AS is_told,
            n, mean, m2, low, low_seed, high, high_seed
        FROM leaderboard WHERE digest = ANY (CAST(:digests AS text[])) {which}
    ) AS found WHERE is_shown OR is_told ORDER BY digest, metric
"""
_ALL_STANDINGS = text(_OF_GROUPS.format(which=""))
_SOME_STANDINGS = text(_OF_GROUPS.format(which="AND metric = ANY (CAST(:names AS text[]))"))
