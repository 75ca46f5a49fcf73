"""What the queued runs ask for, and who could have them: devices of a kind, a number of them, and data."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from uuid import UUID

from sqlalchemy import and_, func, or_, select
from sqlalchemy.orm import Session
from sqlalchemy.sql.elements import ColumnElement

from mmix.store.clock import past
from mmix.store.tables import Device, Run, Worker

_FOLLOWED_SECONDS = 5.0
"""So soon a worker with a free device follows a doorbell of its own: where none did, it lies before a busy one."""


@dataclass(frozen=True)
class Post:
    """A live worker: the kinds it serves, its devices, how many of them are free, and the data that lie there."""

    id: UUID
    queues: tuple[str, ...]
    devices: int
    free: int
    data: frozenset[str]

    def holds(self, device: str, devices: int) -> bool:
        """Whether it has so many devices of this kind, free or not."""
        return device in self.queues and self.devices >= devices


@dataclass(frozen=True)
class Lot:
    """The queued runs that ask for the same devices and the same data, and the workers that could have them.

    For `ringing` of them a doorbell was rung within `unheard_seconds` and may still be heard.
    """

    device: str
    devices: int
    data: tuple[str, ...]
    able: tuple[Post, ...]
    ringing: int
    unheard_seconds: float

    @property
    def places(self) -> int:
        """How many of these runs could start at once."""
        return sum(post.free // self.devices for post in self.able)

    @property
    def reachable(self) -> bool:
        """Whether a doorbell would be heard: one for all waits for a worker to come, one of a worker needs it now."""
        return bool(self.able) or not self.data

    @property
    def room(self) -> int:
        """How many more of these runs may be rung for."""
        if not self.reachable or (self.devices > 1 and self.places == 0):
            return 0
        return max(0, self.places + 1 - self.ringing)

    def alike(self) -> ColumnElement[bool]:
        """Whether a run is one of these."""
        return and_(Run.device == self.device, Run.devices == self.devices, Run.data == list(self.data))

    def silent(self) -> ColumnElement[bool]:
        """Whether a run is one of these, and no doorbell for it may still be heard."""
        return and_(self.alike(), or_(Run.dispatched_at.is_(None), Run.dispatched_at < past(self.unheard_seconds)))


@dataclass(frozen=True)
class Queue:
    """The queued runs that ask for the same devices: they have one order, whatever data they need.

    places: how many of them could start at once and are not rung for yet. spare: whether one may be rung for besides.
    """

    device: str
    devices: int
    lots: tuple[Lot, ...]
    places: int
    spare: bool


def posts(session: Session, *, alive_seconds: float) -> list[Post]:
    """The workers that take runs."""
    rows = session.execute(
        select(Worker.id, Worker.queues, Worker.data, func.count(), func.count().filter(Device.run_id.is_(None)))
        .join(Device, Device.worker_id == Worker.id)
        .where(Worker.last_seen > past(alive_seconds), ~Worker.draining)
        .group_by(Worker.id)
        .order_by(Worker.id)
    )
    return [Post(name, tuple(queues), devices, free, frozenset(data)) for name, queues, data, devices, free in rows]


def queues(session: Session, present: Sequence[Post], *, hint_seconds: float) -> list[Queue]:
    """The queues that aren't empty, those of many devices first."""
    soon = min(hint_seconds, _FOLLOWED_SECONDS)
    rung, lately = (func.count().filter(Run.dispatched_at >= past(seconds)) for seconds in (hint_seconds, soon))
    rows = session.execute(
        select(Run.device, Run.devices, Run.data, rung, lately)
        .where(Run.state == "queued")
        .group_by(Run.device, Run.devices, Run.data)
        .order_by(Run.devices.desc(), Run.device, Run.data)
    )
    lots: list[Lot] = []
    for device, devices, data, within, just_now in rows:
        able = tuple(post for post in present if post.holds(device, devices) and post.data.issuperset(data))
        # Of a worker's own doorbells a free worker hears at once; what is unheard then lies before a busy one.
        forgotten = bool(data) and any(post.free >= devices for post in able)
        heard = (just_now, soon) if forgotten else (within, hint_seconds)
        lots.append(Lot(device, devices, tuple(data), able, *heard))
    return [
        _queue(present, device, devices, tuple(alike))
        for (device, devices), alike in groupby(lots, lambda lot: (lot.device, lot.devices))
    ]


def _queue(present: Sequence[Post], device: str, devices: int, lots: tuple[Lot, ...]) -> Queue:
    places = sum(post.free // devices for post in present if post.holds(device, devices))
    reachable = [lot for lot in lots if lot.reachable]
    taken = sum(min(lot.ringing, lot.places) for lot in reachable)
    spare = all(lot.ringing <= lot.places for lot in reachable)
    return Queue(device, devices, lots, places=max(0, places - taken), spare=spare)
