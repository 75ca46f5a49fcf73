"""Who may work on a run, and on which devices: claim, renew. What an attempt reports: `mmix.store.events`; how it ends:
`mmix.store.endings`.

Each change is one UPDATE that checks the old state and, once a run is claimed, the attempt: the fencing token. Time is
PostgreSQL's `now()` alone.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import exists, func, insert, select, update
from sqlalchemy.orm import Session

from mmix.store import attempts, checkpoints, devices
from mmix.store.attempts import Key
from mmix.store.checkpoints import Registered
from mmix.store.clock import ahead
from mmix.store.states import OWNED
from mmix.store.tables import Attempt, Experiment, Group, Run, Worker


@dataclass(frozen=True)
class Lease(Key):
    """The right of one attempt to work on one run with some devices, and what it needs to know for that.

    resume: the run's checkpoints, the newest first.
    """

    seed: int
    spec: dict[str, Any]
    digest: str
    device: str
    devices: tuple[str, ...]
    max_runtime_seconds: int | None
    resume: tuple[Registered, ...]


StopReason = Literal["cancel", "give back"]
"""Why an attempt is to stop: its run is being cancelled, or its worker is to give its runs back."""


def claim(
    session: Session, *, run_id: UUID, worker_id: UUID, host: str, queues: Iterable[str], lease_seconds: float
) -> Lease | None:
    """Takes a queued run for this worker, with as many of its devices as the run needs.

    None where somebody else has the run or it isn't queued any more; also where the worker lacks data that the run
    needs, has too few devices free or gives its runs back: then it stays queued.
    """
    free_to_take = (Run.id == run_id, Run.state == "queued", Run.device.in_(list(queues)))
    found = session.execute(select(Run.devices, _has_data(worker_id)).where(*free_to_take).with_for_update())
    wanted = found.one_or_none()
    if wanted is None:
        return None
    needed, has_data = wanted
    uuids = devices.lock_free(session, worker_id=worker_id, count=needed) if has_data else []
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


def _has_data(worker_id: UUID) -> Any:
    """Whether all the data that a run needs lie at the worker."""
    return exists().where(Worker.id == worker_id, Worker.data.bool_op("?&")(Run.data)).correlate(Run)


def _lease(session: Session, run: Run, uuids: Sequence[str]) -> Lease:
    spec, max_runtime_seconds = session.execute(
        select(Group.spec, Experiment.max_runtime_seconds)
        .join(Experiment, Experiment.digest == Group.digest)
        .where(Experiment.id == run.experiment_id)
    ).one()
    return Lease(
        run_id=run.id,
        attempt=run.attempt,
        seed=run.seed,
        spec=spec,
        digest=run.digest,
        device=run.device,
        devices=tuple(uuids),
        max_runtime_seconds=max_runtime_seconds,
        resume=tuple(checkpoints.registered(session, run.id)) if run.attempt > 1 else (),
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


def _owned_update(lease: Lease) -> Any:
    return update(Run).where(Run.id == lease.run_id, Run.attempt == lease.attempt, Run.state.in_(OWNED))
