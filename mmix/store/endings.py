"""How an attempt ends: it succeeds, fails, is lost, preempted, cancelled or reaped.

Its devices are free in the same transaction.

Each change is one UPDATE that checks the old state and the attempt: the fencing token. Time is PostgreSQL's `now()`.
"""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from mmix.store import attempts, devices, results
from mmix.store.attempts import Key
from mmix.store.clock import ahead, span
from mmix.store.leases import Lease
from mmix.store.states import (
    FIRST_WAIT_SECONDS,
    LOSSES_ALLOWED,
    OWNED,
    RETRIED,
    TERMINAL,
    TRIES,
    Outcome,
    State,
)
from mmix.store.tables import Attempt, Run
from mmix.store.words import storable


def succeed(
    session: Session,
    lease: Lease,
    *,
    found: Mapping[str, Mapping[str, float]],
    provenance: Mapping[str, Any],
    seconds: float,
) -> None:
    """Stores the results and everything that follows from them, once: repeating it changes nothing.

    seconds: from the trainer's being ready to its end.

    Raises: Fenced where the attempt has lost its run, or the run is being cancelled.
    """
    if not _leave(session, lease, leave=("running",), state="succeeded"):
        if _outcome(session, lease) == "succeeded":
            return  # an earlier try of this very call reached the database, though its answer was lost
        raise attempts.fenced(lease)
    _end(session, lease, outcome="succeeded", exit_code=0, provenance=dict(provenance), trained_seconds=seconds)
    results.store(session, run_id=lease.run_id, digest=lease.digest, seed=lease.seed, found=found)


def fail(
    session: Session,
    lease: Lease,
    *,
    failure_class: str,
    message: str,
    exit_code: int | None,
    error: str | None,
) -> None:
    """Ends the attempt, and the run for good unless an error of this class may not come again.

    Raises: Fenced
    """
    failures = _failures(session, lease) + 1
    if failure_class in RETRIED and failures < TRIES:
        wait = FIRST_WAIT_SECONDS * 2 ** (failures - 1)
        left = _leave(session, lease, leave=("running",), state="retry_wait", not_before=ahead(wait))
    else:
        values = {"failure_class": failure_class, "failure_message": storable(message)}
        left = _leave(session, lease, leave=("running",), state="failed", **values)
    if not left:
        if _outcome(session, lease) == "failed":
            return
        raise attempts.fenced(lease)
    _end(session, lease, outcome="failed", exit_code=exit_code, error=error or message)


def lose(session: Session, lease: Lease, *, exit_code: int | None, error: str) -> None:
    """Gives a run back whose trainer died through no fault of its own.

    Raises: Fenced
    """
    losses = session.scalar(select(Run.losses).where(Run.id == lease.run_id)) or 0
    if not _requeue(session, lease, losses=losses, reason=error):
        raise attempts.fenced(lease)
    _end(session, lease, outcome="lost", exit_code=exit_code, error=error)


def preempt(session: Session, lease: Lease, *, exit_code: int | None) -> None:
    """Gives a run back whose worker was told to stop; that costs the run nothing.

    Raises: Fenced
    """
    if not _leave(session, lease, leave=("running",), state="queued"):
        if _outcome(session, lease) == "preempted":
            return
        raise attempts.fenced(lease)
    _end(session, lease, outcome="preempted", exit_code=exit_code)


def end_cancelled(session: Session, lease: Lease, *, exit_code: int | None) -> None:
    """Ends a run that was asked to stop and did.

    Raises: Fenced
    """
    if not _leave(session, lease, leave=("cancelling",), state="cancelled"):
        if _outcome(session, lease) == "cancelled":
            return
        raise attempts.fenced(lease)
    _end(session, lease, outcome="cancelled", exit_code=exit_code)


def reap(session: Session, *, grace_seconds: float) -> int:
    """Takes runs from attempts whose lease has lapsed; says how many.

    After a restart of PostgreSQL everybody has `grace_seconds` to renew first.
    """
    lapsed = session.execute(
        select(Run.id, Run.attempt, Run.state, Run.losses)
        .where(
            Run.state.in_(OWNED),
            Run.lease_until < func.now(),
            func.now() > func.pg_postmaster_start_time() + span(grace_seconds),
        )
        .with_for_update(skip_locked=True)
    ).all()
    for row in lapsed:
        key = Key(row.id, row.attempt)
        if row.state == "cancelling":
            _leave(session, key, leave=("cancelling",), state="cancelled")
            _end(session, key, outcome="cancelled", error="The lease lapsed while the run was being cancelled")
        else:
            reason = "The lease lapsed: the worker died or could not reach the database"
            _requeue(session, key, losses=row.losses, reason=reason)
            _end(session, key, outcome="lost", error=reason)
    return len(lapsed)


def _requeue(session: Session, key: Key, *, losses: int, reason: str) -> bool:
    if losses < LOSSES_ALLOWED:
        return _leave(session, key, leave=("running",), state="queued", losses=losses + 1)
    message = f"{losses + 1} attempts were lost, the last one so: {reason}"
    values = {"failure_class": "lost", "failure_message": storable(message), "losses": losses + 1}
    return _leave(session, key, leave=("running",), state="failed", **values)


def _leave(session: Session, key: Key, *, leave: tuple[State, ...], state: State, **values: object) -> bool:
    finished = {"finished_at": func.now()} if state in TERMINAL else {}
    changed = session.scalar(
        update(Run)
        .where(Run.id == key.run_id, Run.attempt == key.attempt, Run.state.in_(leave))
        .values(state=state, lease_until=None, worker_id=None, dispatched_at=None, **finished, **values)
        .returning(Run.id)
    )
    attempts.wake(session)
    return changed is not None


def _end(session: Session, key: Key, *, outcome: Outcome, error: str | None = None, **values: Any) -> None:
    told = None if error is None else storable(error)
    session.execute(attempts.changing(key).values(outcome=outcome, ended_at=func.now(), error=told, **values))
    devices.free(session, key)


def _failures(session: Session, key: Key) -> int:
    failed = (Attempt.run_id == key.run_id, Attempt.outcome == "failed")
    return session.scalar(select(func.count()).select_from(Attempt).where(*failed)) or 0


def _outcome(session: Session, lease: Lease) -> str | None:
    return session.scalar(select(Attempt.outcome).where(Attempt.run_id == lease.run_id, Attempt.n == lease.attempt))
