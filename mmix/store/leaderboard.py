"""The leaderboard: groups in the order of one metric, with mean and standard deviation over seeds."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Any

from sqlalchemy import and_, select, tuple_
from sqlalchemy.orm import Session

from mmix.spec.evaluation import higher_is_better
from mmix.store.tables import Group, Standing


@dataclass(frozen=True)
class Filters:
    """What a group must be to be listed; None admits all."""

    data: str | None = None
    model: str | None = None
    mixing: str | None = None


@dataclass(frozen=True)
class Aggregate:
    """One metric over n seeds; `std` is the sample standard deviation, None for a single seed."""

    mean: float
    std: float | None
    n: int


@dataclass(frozen=True)
class Place:
    """One group of the leaderboard."""

    group: str
    spec: dict[str, Any]
    label: str
    n: int
    metrics: dict[str, Aggregate]


@dataclass(frozen=True)
class After:
    """The last place of the page before."""

    mean: float
    digest: str


def page(
    session: Session,
    *,
    filters: Filters,
    sort: str,
    selection: str,
    metrics: Sequence[str],
    after: After | None,
    limit: int,
) -> list[Place]:
    """The best groups by `sort`, at most `limit`; all metrics where `metrics` is empty."""
    rows = session.execute(_ordered(filters, sort=sort, selection=selection, after=after).limit(limit)).all()
    wanted = {*metrics, sort} if metrics else None
    aggregates = _aggregates(session, [row.Group.digest for row in rows], selection=selection, wanted=wanted)
    return [
        Place(
            group=row.Group.digest,
            spec=row.Group.spec,
            label=row.Group.label,
            n=row.n,
            metrics=aggregates[row.Group.digest],
        )
        for row in rows
    ]


def _ordered(filters: Filters, *, sort: str, selection: str, after: After | None) -> Any:
    query = select(Group, Standing.n).join(
        Standing,
        and_(Standing.digest == Group.digest, Standing.metric == sort, Standing.selection == selection),
    )
    for column, value in (
        (Group.data, filters.data),
        (Group.model, filters.model),
        (Group.mixing, filters.mixing),
    ):
        query = query if value is None else query.where(column == value)
    keys = tuple_(Standing.mean, Standing.digest)
    if higher_is_better(sort):
        query = query.order_by(Standing.mean.desc(), Standing.digest.desc())
        return query if after is None else query.where(keys < (after.mean, after.digest))
    query = query.order_by(Standing.mean, Standing.digest)
    return query if after is None else query.where(keys > (after.mean, after.digest))


def _aggregates(
    session: Session, digests: Sequence[str], *, selection: str, wanted: set[str] | None
) -> dict[str, dict[str, Aggregate]]:
    query = select(Standing).where(Standing.digest.in_(digests), Standing.selection == selection)
    if wanted is not None:
        query = query.where(Standing.metric.in_(wanted))
    found: dict[str, dict[str, Aggregate]] = defaultdict(dict)
    for row in session.scalars(query.order_by(Standing.metric)):
        std = sqrt(row.m2 / (row.n - 1)) if row.n > 1 else None
        found[row.digest][row.metric] = Aggregate(mean=row.mean, std=std, n=row.n)
    return found
