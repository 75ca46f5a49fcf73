"""Who may work on a run: claim, renew, record, finish, reap.

Each change is one UPDATE that checks the old state and, once a run is claimed, the attempt: the fencing token. Time is
PostgreSQL's `now()` alone.
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Interval, func, insert, literal, select, text, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import Session
from sqlalchemy.sql.elements import ColumnElement

from mmix.errors import Fenced
from mmix.store import results
from mmix.store.sessions import RUNS_CHANNEL
from mmix.store.states import LOSSES_ALLOWED, OWNED, Outcome, State
from mmix.store.tables import Attempt, CurvePoint, Experiment, Group, Run


@dataclass(frozen=True)
class Lease:
    """The right of one attempt to work on one run, and what it needs to know for that."""

    run_id: UUID
    attempt: int
    seed: int
    spec: dict[str, Any]
    digest: str
    device: str
    max_runtime_seconds: int | None


@dataclass(frozen=True)
class Point:
    """One value of one metric after `step` epochs."""

    metric: str
    step: int
    value: float


def _ahead(seconds: float) -> ColumnElement[Any]:
    return func.now() + literal(timedelta(seconds=seconds), Interval)


def _notify(session: Session) -> None:
    session.execute(text("SELECT pg_notify(:channel, '')"), {"channel": RUNS_CHANNEL})


def claim(
    session: Session, *, run_id: UUID, worker_id: UUID, host: str, queues: Iterable[str], lease_seconds: float
) -> Lease | None:
    """Takes a queued run for this worker; None where somebody else has it or it isn't queued any more."""
    run = session.execute(
        update(Run)
        .where(Run.id == run_id, Run.state == "queued", Run.device.in_(list(queues)))
        .values(
            state="running",
            attempt=Run.attempt + 1,
            worker_id=worker_id,
            lease_until=_ahead(lease_seconds),
            dispatched_at=None,
            started_at=func.coalesce(Run.started_at, func.now()),
        )
        .returning(Run.attempt, Run.seed, Run.digest, Run.device, Run.experiment_id)
    ).one_or_none()
    if run is None:
        return None
    session.execute(insert(Attempt).values(run_id=run_id, n=run.attempt, worker_id=worker_id, host=host))
    return Lease(
        run_id=run_id,
        attempt=run.attempt,
        seed=run.seed,
        spec=session.get_one(Group, run.digest).spec,
        digest=run.digest,
        device=run.device,
        max_runtime_seconds=session.get_one(Experiment, run.experiment_id).max_runtime_seconds,
    )


def renew(session: Session, lease: Lease, *, lease_seconds: float) -> bool:
    """Prolongs the lease; says whether the run is to be cancelled.

    Raises: Fenced where the attempt has lost its run.
    """
    state = session.scalar(_owned_update(lease).values(lease_until=_ahead(lease_seconds)).returning(Run.state))
    if state is None:
        raise Fenced(_fenced(lease))
    return bool(state == "cancelling")


def record_start(session: Session, lease: Lease, *, pid: int, first_epoch: int) -> None:
    """Notes the trainer's process and the epoch it begins with (1 when fresh).

    Raises: Fenced
    """
    _hold(session, lease)
    session.execute(_attempt(lease).values(pid=pid, first_epoch=first_epoch))


def record_points(session: Session, lease: Lease, points: Iterable[Point]) -> None:
    """Stores points of learning curves and the progress they show; the same point twice is one point.

    Raises: Fenced
    """
    points = list(points)
    if not points:
        return
    epoch = max(point.step for point in points)
    changed = session.scalar(_owned_update(lease).values(epoch=epoch).returning(Run.id))
    if changed is None:
        raise Fenced(_fenced(lease))
    session.execute(_attempt(lease).values(last_epoch=epoch))
    statement = upsert(CurvePoint)
    session.execute(
        statement.on_conflict_do_update(
            index_elements=["run_id", "attempt", "metric", "step"], set_={"value": statement.excluded.value}
        ),
        [{"run_id": lease.run_id, "attempt": lease.attempt, **asdict(point)} for point in points],
    )


def succeed(
    session: Session,
    lease: Lease,
    *,
    found: Mapping[str, Mapping[str, float]],
    provenance: Mapping[str, Any],
) -> None:
    """Stores the results and everything that follows from them, once: repeating it changes nothing.

    Raises: Fenced where the attempt has lost its run, or the run is being cancelled.
    """
    if not _leave(session, lease, leave=("running",), state="succeeded"):
        if _outcome(session, lease) == "succeeded":
            return  # an earlier try of this very call reached the database, though its answer was lost
        raise Fenced(_fenced(lease))
    _end(session, lease, outcome="succeeded", exit_code=0, provenance=dict(provenance))
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
    """Ends the run for good, with the reason that its owner reads.

    Raises: Fenced
    """
    values = {"failure_class": failure_class, "failure_message": _storable(message)}
    if not _leave(session, lease, leave=("running",), state="failed", **values):
        if _outcome(session, lease) == "failed":
            return
        raise Fenced(_fenced(lease))
    _end(session, lease, outcome="failed", exit_code=exit_code, error=error or message)


def lose(session: Session, lease: Lease, *, exit_code: int | None, error: str) -> None:
    """Gives a run back whose trainer died through no fault of its own.

    Raises: Fenced
    """
    losses = session.scalar(select(Run.losses).where(Run.id == lease.run_id)) or 0
    if not _requeue(session, lease, losses=losses, reason=error):
        raise Fenced(_fenced(lease))
    _end(session, lease, outcome="lost", exit_code=exit_code, error=error)


def end_cancelled(session: Session, lease: Lease, *, exit_code: int | None) -> None:
    """Ends a run that was asked to stop and did.

    Raises: Fenced
    """
    if not _leave(session, lease, leave=("cancelling",), state="cancelled"):
        if _outcome(session, lease) == "cancelled":
            return
        raise Fenced(_fenced(lease))
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
            func.now() > func.pg_postmaster_start_time() + literal(timedelta(seconds=grace_seconds), Interval),
        )
        .with_for_update(skip_locked=True)
    ).all()
    for row in lapsed:
        key = _Key(row.id, row.attempt)
        if row.state == "cancelling":
            _leave(session, key, leave=("cancelling",), state="cancelled")
            _end(session, key, outcome="cancelled", error="The lease lapsed while the run was being cancelled")
        else:
            reason = "The lease lapsed: the worker died or could not reach the database"
            _requeue(session, key, losses=row.losses, reason=reason)
            _end(session, key, outcome="lost", error=reason)
    return len(lapsed)


@dataclass(frozen=True)
class _Key:
    run_id: UUID
    attempt: int


def _requeue(session: Session, key: Lease | _Key, *, losses: int, reason: str) -> bool:
    if losses < LOSSES_ALLOWED:
        return _leave(session, key, leave=("running",), state="queued", losses=losses + 1)
    message = f"{losses + 1} attempts were lost, the last one so: {reason}"
    values = {"failure_class": "lost", "failure_message": _storable(message), "losses": losses + 1}
    return _leave(session, key, leave=("running",), state="failed", **values)


def _leave(session: Session, key: Lease | _Key, *, leave: tuple[State, ...], state: State, **values: object) -> bool:
    finished = {} if state == "queued" else {"finished_at": func.now()}
    changed = session.scalar(
        update(Run)
        .where(Run.id == key.run_id, Run.attempt == key.attempt, Run.state.in_(leave))
        .values(state=state, lease_until=None, worker_id=None, dispatched_at=None, **finished, **values)
        .returning(Run.id)
    )
    _notify(session)
    return changed is not None


def _end(session: Session, key: Lease | _Key, *, outcome: Outcome, error: str | None = None, **values: Any) -> None:
    told = None if error is None else _storable(error)
    session.execute(_attempt(key).values(outcome=outcome, ended_at=func.now(), error=told, **values))


def _attempt(key: Lease | _Key) -> Any:
    return update(Attempt).where(Attempt.run_id == key.run_id, Attempt.n == key.attempt)


def _owned_update(lease: Lease) -> Any:
    return update(Run).where(Run.id == lease.run_id, Run.attempt == lease.attempt, Run.state.in_(OWNED))


def _hold(session: Session, lease: Lease) -> None:
    held = session.scalar(
        select(Run.id)
        .where(Run.id == lease.run_id, Run.attempt == lease.attempt, Run.state.in_(OWNED))
        .with_for_update()
    )
    if held is None:
        raise Fenced(_fenced(lease))


def _outcome(session: Session, lease: Lease) -> str | None:
    return session.scalar(select(Attempt.outcome).where(Attempt.run_id == lease.run_id, Attempt.n == lease.attempt))


def _fenced(lease: Lease) -> str:
    return f"Attempt {lease.attempt} no longer owns run {lease.run_id}"


def _storable(message: str) -> str:
    return message.replace("\x00", "\\x00")  # PostgreSQL's text refuses NUL
