"""Runs that take the place of others: what was is never rewritten."""

from typing import Any
from uuid import UUID

from sqlalchemy import exists, insert, select
from sqlalchemy.orm import Session, aliased
from sqlalchemy.sql.elements import ColumnElement
from uuid_utils.compat import uuid7

from mmix.errors import Conflict, NotFound
from mmix.store import attempts
from mmix.store.states import State
from mmix.store.tables import Need, Run


def current() -> ColumnElement[bool]:
    """Whether a run is the last of its seed: no retry has taken its place."""
    newer = aliased(Run)
    return ~exists().where(newer.retry_of == Run.id)


def retry(session: Session, *, owner: str, run_id: UUID) -> UUID:
    """A new run that takes the place of one that failed or was cancelled; what was, stays as it is.

    It waits for the same runs as that one, or for their retries where there are some.

    Raises: NotFound; Conflict where the run didn't end so, or was retried already.
    """
    run = session.scalar(select(Run).where(Run.owner == owner, Run.id == run_id).with_for_update())
    if run is None:
        raise NotFound(f"There is no run {run_id}")
    if run.state not in ("failed", "cancelled"):
        raise Conflict(f"Run {run_id} is {run.state}: only a run that failed or was cancelled can be retried")
    newer = session.scalar(select(Run.id).where(Run.retry_of == run_id))
    if newer is not None:
        raise Conflict(f"Run {run_id} was retried already, as run {newer}: retry that one")
    needs = [newest(session, needed) for needed in session.scalars(_needs_of(run_id))]
    made = uuid7()
    copied = ("experiment_id", "owner", "digest", "seed", "priority", "device", "devices", "data")
    values = {name: getattr(run, name) for name in copied}
    state: State = "blocked" if needs else "queued"
    session.execute(insert(Run).values(id=made, retry_of=run_id, state=state, **values))
    if needs:
        session.execute(insert(Need), [{"run_id": made, "needs_run_id": needed} for needed in needs])
    attempts.wake(session)
    return made


def _needs_of(run_id: UUID) -> Any:
    return select(Need.needs_run_id).where(Need.run_id == run_id)


def newest(session: Session, run_id: UUID) -> UUID:
    """The last retry of a run; itself where it was never retried."""
    newer = session.scalar(select(Run.id).where(Run.retry_of == run_id))
    return run_id if newer is None else newest(session, newer)
