"""Which attempt at which run: the fencing token, and the row of the attempt that carries it."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import and_, func, select, text, update
from sqlalchemy.orm import Session

from mmix.errors import Fenced
from mmix.store.sessions import RUNS_CHANNEL, STOPS_CHANNEL
from mmix.store.states import OWNED
from mmix.store.tables import Attempt, Run


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


def hold(session: Session, key: Key) -> None:
    """Has the run to itself for this attempt until the transaction ends.

    Raises: Fenced where the attempt has lost its run.
    """
    # Nothing refers to a run by what changes here: rows that are added under a foreign key need not wait.
    own = select(Run.id).where(Run.id == key.run_id, Run.attempt == key.attempt, Run.state.in_(OWNED))
    if session.scalar(own.with_for_update(key_share=True)) is None:
        raise fenced(key)


def over(session: Session, keys: Collection[Key]) -> set[Key]:
    """Those of these attempts that hold no lease any more; a run that isn't known here is none of ours."""
    held = and_(Run.state.in_(OWNED), Run.lease_until > func.now())
    rows = session.execute(select(Run.id, Run.attempt, held).where(Run.id.in_({key.run_id for key in keys}))).all()
    known = {run_id for run_id, _, _ in rows}
    holding = {Key(run_id, attempt) for run_id, attempt, holds in rows if holds}
    return {key for key in keys if key.run_id in known and key not in holding}


def call_out(session: Session, name: UUID) -> None:
    """Makes the supervisors of this run, or of this worker, look at once, on commit."""
    session.execute(text("SELECT pg_notify(:channel, :name)"), {"channel": STOPS_CHANNEL, "name": str(name)})


def wake(session: Session) -> None:
    """Wakes the dispatcher on commit."""
    session.execute(text("SELECT pg_notify(:channel, '')"), {"channel": RUNS_CHANNEL})
