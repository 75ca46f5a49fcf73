"""What the dispatcher needs to know: which queued runs want a doorbell now."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import and_, func, or_, select, tuple_, update
from sqlalchemy.orm import Session
from sqlalchemy.sql.elements import ColumnElement

from mmix.store.clock import past
from mmix.store.states import OWNED
from mmix.store.tables import Device, Run, Worker

LEADER_LOCK = 0x6D6D6978  # "mmix": the advisory lock that makes one dispatcher the leader

_ORDER = (Run.priority.desc(), Run.created_at, Run.id)


@dataclass(frozen=True)
class Hint:
    """A doorbell to ring: this run, in the queue of this kind of device and this many of them."""

    run_id: UUID
    device: str
    devices: int


@dataclass(frozen=True)
class _Post:
    """A live worker: the kinds it serves, its devices, and how many of them are free."""

    queues: tuple[str, ...]
    devices: int
    free: int


@dataclass(frozen=True)
class _Queue:
    """The queued runs that ask for the same; for `ringing` of them a doorbell was rung and may still be heard."""

    device: str
    devices: int
    ringing: int

    def able(self, posts: Sequence[_Post]) -> list[_Post]:
        return [post for post in posts if self.device in post.queues and post.devices >= self.devices]

    def places(self, posts: Sequence[_Post]) -> int:
        """How many of these runs could start at once."""
        return sum(post.free // self.devices for post in self.able(posts))


@dataclass(frozen=True)
class _Patient:
    """A run on several devices that has waited too long, and those who could have it."""

    priority: int
    created_at: datetime
    id: UUID
    able: tuple[_Post, ...]

    def holds_back(self, queue: _Queue) -> bool:
        return any(queue.device in post.queues for post in self.able)

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
    """
    unheard = past(hint_seconds)
    posts = _posts(session, alive_seconds=alive_seconds)
    queues = _queues(session, unheard)
    patient = _patient(session, queues, posts, patience_seconds=patience_seconds)
    found: list[Hint] = []
    for queue in queues:
        places = queue.places(posts)
        if queue.devices > 1 and places == 0:
            continue
        limit = places + 1 - queue.ringing
        if limit <= 0:
            continue
        query = _silent(queue, unheard).limit(limit)
        if patient is not None and patient.holds_back(queue):
            query = query.where(patient.ahead())
        found += [Hint(run_id, queue.device, queue.devices) for run_id in session.scalars(query)]
    return found


def _silent(queue: _Queue, unheard: ColumnElement[Any]) -> Any:
    """The queue's runs for which no doorbell may still be heard, in the order in which they are rung for."""
    busy = (
        select(Run.owner, func.count().label("runs"))
        .where(or_(Run.state.in_(OWNED), Run.dispatched_at >= unheard))
        .group_by(Run.owner)
        .subquery()
    )
    turn = func.row_number().over(partition_by=(Run.owner, Run.priority), order_by=(Run.created_at, Run.id))
    return (
        select(Run.id)
        .outerjoin(busy, busy.c.owner == Run.owner)
        .where(
            Run.state == "queued",
            Run.device == queue.device,
            Run.devices == queue.devices,
            or_(Run.dispatched_at.is_(None), Run.dispatched_at < unheard),
        )
        .order_by(Run.priority.desc(), turn + func.coalesce(busy.c.runs, 0), Run.created_at, Run.id)
    )


def _posts(session: Session, *, alive_seconds: float) -> list[_Post]:
    rows = session.execute(
        select(Worker.queues, func.count(), func.count().filter(Device.run_id.is_(None)))
        .join(Device, Device.worker_id == Worker.id)
        .where(Worker.last_seen > past(alive_seconds), ~Worker.draining)
        .group_by(Worker.id)
    )
    return [_Post(tuple(queues), devices, free) for queues, devices, free in rows]


def _queues(session: Session, unheard: ColumnElement[Any]) -> list[_Queue]:
    rows = session.execute(
        select(Run.device, Run.devices, func.count().filter(Run.dispatched_at >= unheard))
        .where(Run.state == "queued")
        .group_by(Run.device, Run.devices)
        .order_by(Run.devices.desc(), Run.device)
    )
    return [_Queue(device, devices, ringing) for device, devices, ringing in rows]


def _patient(
    session: Session, queues: Sequence[_Queue], posts: Sequence[_Post], *, patience_seconds: float
) -> _Patient | None:
    """The first in order of the runs that have waited too long for several devices, which some worker has."""
    stuck = {
        (queue.device, queue.devices): tuple(queue.able(posts))
        for queue in queues
        if queue.devices > 1 and queue.able(posts) and queue.places(posts) == 0
    }
    row = session.execute(
        select(Run.priority, Run.created_at, Run.id, Run.device, Run.devices)
        .where(
            Run.state == "queued",
            tuple_(Run.device, Run.devices).in_(list(stuck)),
            Run.created_at < past(patience_seconds),
        )
        .order_by(*_ORDER)
        .limit(1)
    ).one_or_none()
    if row is None:
        return None
    return _Patient(row.priority, row.created_at, row.id, able=stuck[row.device, row.devices])


def stamp(session: Session, ids: Sequence[UUID]) -> None:
    """Notes that these runs are rung for."""
    session.execute(update(Run).where(Run.id.in_(ids), Run.state == "queued").values(dispatched_at=func.now()))


def unstamp(session: Session, ids: Sequence[UUID]) -> None:
    """Notes that these runs could not be rung for."""
    session.execute(update(Run).where(Run.id.in_(ids), Run.state == "queued").values(dispatched_at=None))
