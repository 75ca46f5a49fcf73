"""Who may work on a run, and on which devices: claim, renew, record. How an attempt ends: `mmix.store.endings`.

Each change is one UPDATE that checks the old state and, once a run is claimed, the attempt: the fencing token. Time is
PostgreSQL's `now()` alone.
"""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import func, insert, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import Session

from mmix.store import attempts, devices
from mmix.store.attempts import Key
from mmix.store.clock import ahead
from mmix.store.states import OWNED
from mmix.store.tables import Attempt, CurvePoint, Experiment, Group, Run, Worker


@dataclass(frozen=True)
class Lease(Key):
    """The right of one attempt to work on one run with some devices, and what it needs to know for that."""

    seed: int
    spec: dict[str, Any]
    digest: str
    device: str
    devices: tuple[str, ...]
    max_runtime_seconds: int | None


StopReason = Literal["cancel", "give back"]
"""Why an attempt is to stop: its run is being cancelled, or its worker is to give its runs back."""


@dataclass(frozen=True)
class Point:
    """One value of one metric after `step` epochs."""

    metric: str
    step: int
    value: float


def claim(
    session: Session, *, run_id: UUID, worker_id: UUID, host: str, queues: Iterable[str], lease_seconds: float
) -> Lease | None:
    """Takes a queued run for this worker, with as many of its devices as the run needs.

    None where somebody else has the run, it isn't queued any more, or too few devices are free or the worker gives its
    runs back: then it stays queued.
    """
    free_to_take = (Run.id == run_id, Run.state == "queued", Run.device.in_(list(queues)))
    needed = session.scalar(select(Run.devices).where(*free_to_take).with_for_update())
    if needed is None:
        return None
    uuids = devices.lock_free(session, worker_id=worker_id, count=needed)
    if len(uuids) < needed:
        # Its doorbell is spent; nobody has to wait until it counts as unheard.
        session.execute(update(Run).where(*free_to_take).values(dispatched_at=None))
        return None
    run = session.execute(
        update(Run)
        .where(*free_to_take)
        .values(
            state="running",
            attempt=Run.attempt + 1,
            worker_id=worker_id,
            lease_until=ahead(lease_seconds),
            dispatched_at=None,
            started_at=func.coalesce(Run.started_at, func.now()),
        )
        .returning(Run)
    ).scalar_one()
    session.execute(insert(Attempt).values(run_id=run_id, n=run.attempt, worker_id=worker_id, host=host, devices=uuids))
    devices.hold(session, Key(run_id, run.attempt), worker_id=worker_id, uuids=uuids)
    return _lease(session, run, uuids)


def _lease(session: Session, run: Run, uuids: Sequence[str]) -> Lease:
    return Lease(
        run_id=run.id,
        attempt=run.attempt,
        seed=run.seed,
        spec=session.get_one(Group, run.digest).spec,
        digest=run.digest,
        device=run.device,
        devices=tuple(uuids),
        max_runtime_seconds=session.get_one(Experiment, run.experiment_id).max_runtime_seconds,
    )


def renew(session: Session, lease: Lease, *, lease_seconds: float) -> StopReason | None:
    """Prolongs the lease; says what is wished of the attempt, if it is to stop.

    Raises: Fenced where the attempt has lost its run.
    """
    draining = select(Worker.draining).where(Worker.id == Run.worker_id).scalar_subquery()
    row = session.execute(
        _owned_update(lease).values(lease_until=ahead(lease_seconds)).returning(Run.state, draining)
    ).one_or_none()
    if row is None:
        raise attempts.fenced(lease)
    state, drains = row
    if state == "cancelling":
        return "cancel"
    return "give back" if drains else None


def record_start(session: Session, lease: Lease, *, pid: int, first_epoch: int) -> None:
    """Notes the trainer's process and the epoch it begins with (1 when fresh).

    Raises: Fenced
    """
    held = session.scalar(
        select(Run.id)
        .where(Run.id == lease.run_id, Run.attempt == lease.attempt, Run.state.in_(OWNED))
        .with_for_update()
    )
    if held is None:
        raise attempts.fenced(lease)
    session.execute(attempts.changing(lease).values(pid=pid, first_epoch=first_epoch))


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
        raise attempts.fenced(lease)
    session.execute(attempts.changing(lease).values(last_epoch=epoch))
    statement = upsert(CurvePoint)
    session.execute(
        statement.on_conflict_do_update(
            index_elements=["run_id", "attempt", "metric", "step"], set_={"value": statement.excluded.value}
        ),
        [{"run_id": lease.run_id, "attempt": lease.attempt, **asdict(point)} for point in points],
    )


def _owned_update(lease: Lease) -> Any:
    return update(Run).where(Run.id == lease.run_id, Run.attempt == lease.attempt, Run.state.in_(OWNED))
