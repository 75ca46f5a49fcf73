"""What many runs have found, of one metric: what a comparison of them needs."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import and_, or_, select
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.orm import Session

from mmix.spec.evaluation import DEVICE_SECONDS, PASSES, SELECTIONS
from mmix.store.tables import Attempt, CurvePoint, Result

Curve = list[tuple[int, float]]


@dataclass(frozen=True)
class Finding:
    """One run that has succeeded: the metric under each selection, what the run cost, and its curve on the test split.

    attempt: the one that succeeded. artifacts: the names of the files that it wrote.
    """

    run_id: UUID
    attempt: int
    artifacts: frozenset[str]
    selections: dict[str, float]
    cost: dict[str, float]
    curve: Curve


def known(session: Session, *, run_ids: Sequence[UUID], metric: str) -> frozenset[UUID]:
    """Those of these runs that have a result of this metric: fewer where some were withdrawn."""
    found = select(Result.run_id).where(
        Result.run_id.in_(run_ids), Result.metric == metric, Result.selection == SELECTIONS[0]
    )
    return frozenset(session.scalars(found))


def look_up(session: Session, *, run_ids: Sequence[UUID], metric: str) -> dict[UUID, Finding]:
    """What each of these runs has found that has succeeded, by its id."""
    succeeded = session.execute(
        select(Attempt.run_id, Attempt.n, Attempt.provenance["artifacts"]).where(
            Attempt.run_id.in_(run_ids), Attempt.outcome == "succeeded"
        )
    ).all()
    results, curves = _results(session, run_ids, metric), _curves(session, run_ids, metric)
    return {
        run_id: Finding(
            run_id=run_id,
            attempt=n,
            artifacts=frozenset(artifacts or ()),
            selections={selection: value for (name, selection), value in results[run_id].items() if name == metric},
            cost={name: value for (name, _), value in results[run_id].items() if name in (PASSES, DEVICE_SECONDS)},
            curve=curves[run_id],
        )
        for run_id, n, artifacts in succeeded
    }


def _results(session: Session, run_ids: Sequence[UUID], metric: str) -> dict[UUID, dict[tuple[str, str], float]]:
    cost = and_(Result.metric.in_((PASSES, DEVICE_SECONDS)), Result.selection == SELECTIONS[0])
    found: dict[UUID, dict[tuple[str, str], float]] = defaultdict(dict)
    rows = select(Result).where(Result.run_id.in_(run_ids), or_(Result.metric == metric, cost))
    for row in session.scalars(rows):
        found[row.run_id][row.metric, row.selection] = row.value
    return found


def _curves(session: Session, run_ids: Sequence[UUID], metric: str) -> dict[UUID, Curve]:
    """By run; where attempts overlap, the newest one speaks."""
    rows = session.execute(
        select(CurvePoint.run_id, CurvePoint.step, CurvePoint.value)
        .where(CurvePoint.run_id.in_(run_ids), CurvePoint.metric == metric)
        .ext(distinct_on(CurvePoint.run_id, CurvePoint.step))
        .order_by(CurvePoint.run_id, CurvePoint.step, CurvePoint.attempt.desc())
    )
    found: dict[UUID, Curve] = defaultdict(list)
    for run_id, step, value in rows:
        found[run_id].append((step, value))
    return found
