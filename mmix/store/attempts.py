"""Which attempt at which run: the fencing token, and the row of the attempt that carries it."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import text, update
from sqlalchemy.orm import Session

from mmix.errors import Fenced
from mmix.store.sessions import RUNS_CHANNEL, STOPS_CHANNEL
from mmix.store.tables import Attempt


@dataclass(frozen=True)
class Key:
    """One attempt at one run; whatever a worker writes carries it."""

    run_id: UUID
    attempt: int


def changing(key: Key) -> Any:
    """The UPDATE of the attempt's row."""
    return update(Attempt).where(Attempt.run_id == key.run_id, Attempt.n == key.attempt)


def fenced(key: Key) -> Fenced:
    """What an attempt is told that has lost its run."""
    return Fenced(f"Attempt {key.attempt} no longer owns run {key.run_id}")


def call_out(session: Session, name: UUID) -> None:
    """Makes the supervisors of this run, or of this worker, look at once, on commit."""
    session.execute(text("SELECT pg_notify(:channel, :name)"), {"channel": STOPS_CHANNEL, "name": str(name)})


def wake(session: Session) -> None:
    """Wakes the dispatcher on commit."""
    session.execute(text("SELECT pg_notify(:channel, '')"), {"channel": RUNS_CHANNEL})
