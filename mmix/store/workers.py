"""The workers that are alive."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import delete, func, text
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import Session

from mmix.store.sessions import RUNS_CHANNEL
from mmix.store.tables import Worker


def beat(session: Session, *, worker_id: UUID, host: str, pid: int, slots: int, queues: Sequence[str]) -> None:
    """Says that this worker is alive, and wakes the dispatcher when it is new."""
    row = {"id": worker_id, "host": host, "pid": pid, "slots": slots, "queues": list(queues)}
    statement = upsert(Worker).values(row)
    session.execute(statement.on_conflict_do_update(index_elements=["id"], set_={"last_seen": func.now()}))
    session.execute(text("SELECT pg_notify(:channel, '')"), {"channel": RUNS_CHANNEL})


def leave(session: Session, *, worker_id: UUID) -> None:
    """Says that this worker has gone."""
    session.execute(delete(Worker).where(Worker.id == worker_id))
