"""What the dispatcher needs to know: which queued runs want a doorbell now."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from sqlalchemy import Interval, func, literal, or_, select, update
from sqlalchemy.orm import Session

from mmix.store.states import OWNED
from mmix.store.tables import Run, Worker

LEADER_LOCK = 0x6D6D6978  # "mmix": the advisory lock that makes one dispatcher the leader


@dataclass(frozen=True)
class Hint:
    """A doorbell to ring: this run, in the queue of this device kind."""

    run_id: UUID
    queue: str


def wanted(session: Session, *, queue: str, hint_seconds: float, alive_seconds: float) -> list[Hint]:
    """The queued runs of one queue to ring for: at most as many as slots are free, and one more.

    A doorbell that nobody followed within `hint_seconds` is rung again.
    """
    unheard = literal(timedelta(seconds=hint_seconds), Interval)
    ringing = session.scalar(
        select(func.count()).where(
            Run.state == "queued", Run.device == queue, Run.dispatched_at >= func.now() - unheard
        )
    )
    limit = _free_slots(session, queue=queue, alive_seconds=alive_seconds) + 1 - (ringing or 0)
    if limit <= 0:
        return []
    ids = session.scalars(
        select(Run.id)
        .where(
            Run.state == "queued",
            Run.device == queue,
            or_(Run.dispatched_at.is_(None), Run.dispatched_at < func.now() - unheard),
        )
        .order_by(Run.priority.desc(), Run.created_at, Run.id)
        .limit(limit)
    )
    return [Hint(run_id=run_id, queue=queue) for run_id in ids]


def _free_slots(session: Session, *, queue: str, alive_seconds: float) -> int:
    alive = Worker.last_seen > func.now() - literal(timedelta(seconds=alive_seconds), Interval)
    serving = select(Worker.id).where(Worker.queues.any_() == queue, alive)
    slots = session.scalar(select(func.sum(Worker.slots)).where(Worker.id.in_(serving))) or 0
    busy = session.scalar(select(func.count()).where(Run.state.in_(OWNED), Run.worker_id.in_(serving))) or 0
    return max(0, slots - busy)


def stamp(session: Session, ids: Sequence[UUID]) -> None:
    """Notes that these runs were rung for."""
    session.execute(update(Run).where(Run.id.in_(ids), Run.state == "queued").values(dispatched_at=func.now()))
