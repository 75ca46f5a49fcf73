"""The workers that are alive, and their devices."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from sqlalchemy import delete, func, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import Session

from mmix.store import attempts, devices
from mmix.store.devices import Listed
from mmix.store.tables import Worker

BEAT_SECONDS = 5.0
"""How often a worker says that it is alive."""

ALIVE_SECONDS = 3 * BEAT_SECONDS
"""How long it is believed."""


def beat(
    session: Session,
    *,
    worker_id: UUID,
    host: str,
    pid: int,
    queues: Sequence[str],
    inventory: Sequence[Listed],
    data: Mapping[str, str | None],
) -> None:
    """Says that this worker is alive, what devices it has, a slot each, and what data; wakes the dispatcher.

    data: the name of each data set that lies at the worker, and its checksum where that is known.
    """
    row = {"id": worker_id, "host": host, "pid": pid, "slots": len(inventory), "queues": list(queues)}
    fresh = {"data": dict(data), "last_seen": func.now()}
    statement = upsert(Worker).values(row | fresh)
    session.execute(statement.on_conflict_do_update(index_elements=["id"], set_=fresh))
    devices.enlist(session, worker_id=worker_id, devices=inventory)
    attempts.wake(session)


def drain(session: Session, *, worker_id: UUID) -> bool:
    """Makes a worker give its runs back and take no more; says whether there is such a worker."""
    known = session.scalar(update(Worker).where(Worker.id == worker_id).values(draining=True).returning(Worker.id))
    attempts.call_out(session, worker_id)
    return known is not None


def leave(session: Session, *, worker_id: UUID) -> None:
    """Says that this worker has gone, and its devices with it."""
    session.execute(delete(Worker).where(Worker.id == worker_id))
