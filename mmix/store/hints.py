"""What the dispatcher needs to know: which queued runs want a doorbell now."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import FromClause, and_, false, func, or_, select, tuple_, union_all, update
from sqlalchemy.orm import Session
from sqlalchemy.sql.elements import ColumnElement

from mmix.store import demand
from mmix.store.clock import past
from mmix.store.demand import Lot, Post, Queue
from mmix.store.states import OWNED
from mmix.store.tables import Run

LEADER_LOCK = 0x6D6D6978  # "mmix": the advisory lock that makes one dispatcher the leader

_ORDER = (Run.priority.desc(), Run.created_at, Run.id)


@dataclass(frozen=True)
class Hint:
    """A doorbell to ring: this run, at one worker, or in the queue of this kind of device and this many of them."""

    run_id: UUID
    device: str
    devices: int
    worker: UUID | None


@dataclass(frozen=True)
class _Next:
    """A run that may be rung for, and the data it needs."""

    id: UUID
    data: tuple[str, ...]


@dataclass(frozen=True)
class _Patient:
    """A run on several devices that has waited too long, and those who could have it."""

    priority: int
    created_at: datetime
    id: UUID
    able: tuple[Post, ...]

    def holds_back(self, lot: Lot) -> bool:
        return not set(self.able).isdisjoint(lot.able)

    def ahead(self) -> ColumnElement[bool]:
        """Whether a run comes before this one."""
        older = tuple_(Run.created_at, Run.id) < (self.created_at, self.id)
        return or_(Run.priority > self.priority, and_(Run.priority == self.priority, older))


def wanted(session: Session, *, hint_seconds: float, alive_seconds: float, patience_seconds: float) -> list[Hint]:
    """The queued runs to ring for: per queue at most as many as could start now, and one more.

    Higher priority goes first; within one priority owners take turns, whoever has the fewest runs under way first.
    A doorbell that nobody followed within `hint_seconds` is rung again. A run on several devices is rung for once one
    worker has them free. Where it has waited for longer than `patience_seconds`, nothing behind it is rung for at the
    workers that could hold it, so that their devices come free together.

    A run that needs data is rung for at a worker that has them; where none has, not at all, and those behind it are.
    """
    posts = demand.posts(session, alive_seconds=alive_seconds)
    queues = demand.queues(session, posts, hint_seconds=hint_seconds)
    patient = _patient(session, queues, patience_seconds=patience_seconds)
    left = {post.id: post.free for post in posts}
    found: list[Hint] = []
    for queue in queues:
        found += _hints(queue, _silent(session, queue, patient, past(hint_seconds)), left)
    return found


def _hints(queue: Queue, runs: Sequence[_Next], left: dict[UUID, int]) -> Iterator[Hint]:
    """A hint for each run that could start or is the spare one; `left` is how many devices each worker has left."""
    able = {lot.data: lot.able for lot in queue.lots}
    places, spare = queue.places, queue.spare
    for run in runs:
        worker = max(able[run.data], key=lambda post: left[post.id]).id if run.data else None
        starts = places > 0 and (worker is None or left[worker] >= queue.devices)
        if not starts and not spare:
            continue
        places, spare = (places - 1, spare) if starts else (places, False)
        if worker is not None:
            left[worker] -= queue.devices
        yield Hint(run.id, queue.device, queue.devices, worker)


def _silent(session: Session, queue: Queue, patient: _Patient | None, unheard: ColumnElement[Any]) -> list[_Next]:
    """The queue's runs that may be rung for, of each lot as many as it has room for, in their order."""
    lots = [lot for lot in queue.lots if lot.room > 0]
    if not lots:
        return []
    runs = _in_turn(unheard).where(Run.state == "queued", or_(*(_may_ring(lot, patient) for lot in lots))).cte()
    of_lots = (select(runs).where(runs.c.data == list(lot.data)) for lot in lots)
    firsts = (of_lot.order_by(*_by_turn(runs)).limit(lot.room) for of_lot, lot in zip(of_lots, lots, strict=True))
    chosen = union_all(*firsts).subquery()
    rows = session.execute(select(chosen.c.id, chosen.c.data).order_by(*_by_turn(chosen)))
    return [_Next(run_id, tuple(data)) for run_id, data in rows]


def _by_turn(runs: FromClause) -> tuple[ColumnElement[Any], ...]:
    return runs.c.priority.desc(), runs.c.turn, runs.c.created_at, runs.c.id


def _may_ring(lot: Lot, patient: _Patient | None) -> ColumnElement[bool]:
    if patient is not None and patient.holds_back(lot):
        return and_(lot.silent(), patient.ahead())
    return lot.silent()


def _in_turn(unheard: ColumnElement[Any]) -> Any:
    """Runs, each with its turn among those of one priority."""
    busy = (
        select(Run.owner, func.count().label("runs"))
        .where(or_(Run.state.in_(OWNED), Run.dispatched_at >= unheard))
        .group_by(Run.owner)
        .subquery()
    )
    turn = func.row_number().over(partition_by=(Run.owner, Run.priority), order_by=(Run.created_at, Run.id))
    return select(
        Run.id, Run.data, Run.priority, Run.created_at, (turn + func.coalesce(busy.c.runs, 0)).label("turn")
    ).outerjoin(busy, busy.c.owner == Run.owner)


def _patient(session: Session, queues: Sequence[Queue], *, patience_seconds: float) -> _Patient | None:
    """The first in order of the runs that have waited too long for several devices, which some worker has."""
    stuck = [lot for queue in queues for lot in queue.lots if lot.devices > 1 and lot.able and lot.places == 0]
    row = session.execute(
        select(Run.priority, Run.created_at, Run.id, Run.device, Run.devices, Run.data)
        .where(
            Run.state == "queued",
            or_(false(), *(lot.alike() for lot in stuck)),
            Run.created_at < past(patience_seconds),
        )
        .order_by(*_ORDER)
        .limit(1)
    ).one_or_none()
    if row is None:
        return None
    able = {(lot.device, lot.devices, lot.data): lot.able for lot in stuck}
    return _Patient(row.priority, row.created_at, row.id, able=able[row.device, row.devices, tuple(row.data)])


def stamp(session: Session, ids: Sequence[UUID]) -> None:
    """Notes that these runs are rung for."""
    session.execute(update(Run).where(Run.id.in_(ids), Run.state == "queued").values(dispatched_at=func.now()))


def unstamp(session: Session, ids: Sequence[UUID]) -> None:
    """Notes that these runs could not be rung for."""
    session.execute(update(Run).where(Run.id.in_(ids), Run.state == "queued").values(dispatched_at=None))
