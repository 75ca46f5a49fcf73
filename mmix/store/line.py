"""The line before the workers: what waits, why, and where."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from mmix.spec.data import preparation
from mmix.store.clock import past
from mmix.store.states import WAITING
from mmix.store.tables import Device, Group, Need, Run, Worker


@dataclass(frozen=True)
class WorkerView:
    """A live worker: the kinds of devices it serves, its devices, those that a run holds, and its data's checksums."""

    id: UUID
    host: str
    kinds: list[str]
    draining: bool
    started_at: datetime
    last_seen: datetime
    devices: list[str]
    busy: int
    data: dict[str, str | None]


@dataclass(frozen=True)
class Waiting:
    """A run that nobody works on yet, and why."""

    id: UUID
    experiment: UUID
    seed: int
    label: str
    state: str
    priority: int
    device: str
    devices: int
    created_at: datetime
    reason: str


def workers(session: Session, *, alive_seconds: float) -> list[WorkerView]:
    """The workers that said within so many seconds that they are alive, the oldest first."""
    alive = Worker.last_seen > past(alive_seconds)
    rows = session.execute(
        select(Worker, func.array_agg(Device.uuid), func.count(Device.run_id))
        .join(Device, Device.worker_id == Worker.id)
        .where(alive)
        .group_by(Worker.id)
        .order_by(Worker.started_at, Worker.id)
    )
    return [
        WorkerView(
            id=worker.id,
            host=worker.host,
            kinds=worker.queues,
            draining=worker.draining,
            started_at=worker.started_at,
            last_seen=worker.last_seen,
            devices=sorted(uuids),
            busy=busy,
            data=worker.data,
        )
        for worker, uuids, busy in rows
    ]


def waiting(session: Session, *, owner: str, alive_seconds: float, limit: int) -> list[Waiting]:
    """This owner's waiting runs in the order in which they are looked at, at most `limit` of them."""
    present = workers(session, alive_seconds=alive_seconds)
    rows = session.execute(
        select(Run, Group.label)
        .join(Group, Group.digest == Run.digest)
        .where(Run.owner == owner, Run.state.in_(WAITING))
        .order_by(Run.priority.desc(), Run.created_at, Run.id)
        .limit(limit)
    ).all()
    needs = _needs(session, [run.id for run, _ in rows])
    return [
        Waiting(
            id=run.id,
            experiment=run.experiment_id,
            seed=run.seed,
            label=label,
            state=run.state,
            priority=run.priority,
            device=run.device,
            devices=run.devices,
            created_at=run.created_at,
            reason=_reason(run, present, needs.get(run.id, 0)),
        )
        for run, label in rows
    ]


def _needs(session: Session, ids: Sequence[UUID]) -> dict[UUID, int]:
    """How many of the runs that each needs haven't succeeded."""
    rows = session.execute(
        select(Need.run_id, func.count().label("lacking"))
        .join(Run, Run.id == Need.needs_run_id)
        .where(Need.run_id.in_(ids), Run.state != "succeeded")
        .group_by(Need.run_id)
    )
    return {row.run_id: row.lacking for row in rows}


def _reason(run: Run, present: Sequence[WorkerView], needs: int) -> str:
    if run.state == "blocked":
        return f"waits for {needs} other run{'s' if needs != 1 else ''} to succeed"
    if run.state == "retry_wait":
        assert run.not_before is not None
        return f"met an unforeseen error and is tried again at {run.not_before:%H:%M:%S %Z}"
    return _missing(run, [worker for worker in present if not worker.draining])


def _missing(run: Run, present: Sequence[WorkerView]) -> str:
    """What a queued run lacks."""
    if not present:
        return "no worker is alive: start one"
    serving = [worker for worker in present if run.device in worker.kinds]
    if not serving:
        return f"no worker has a device of kind {run.device!r}"
    large = [worker for worker in serving if len(worker.devices) >= run.devices]
    if not large:
        return f"no worker has {_devices(run)}; the largest has {max(len(worker.devices) for worker in serving)}"
    able = [worker for worker in large if worker.data.keys() >= set(run.data)]
    if not able:
        whose = "no worker" if len(large) == len(present) else f"no worker with {_devices(run)}"
        return _lacking(run.data, large, whose=whose)
    if all(len(worker.devices) - worker.busy < run.devices for worker in able):
        return "all devices are busy" if len(able) == len(large) else f"all workers with {_listed(run.data)} are busy"
    return "is about to start"


def _devices(run: Run) -> str:
    return f"{'a device' if run.devices == 1 else f'{run.devices} devices'} of kind {run.device!r}"


def _lacking(data: Sequence[str], able: Sequence[WorkerView], *, whose: str) -> str:
    """Which of the data sets none of these workers has, or that none has all of them; and what to do."""
    missing = [name for name in data if not any(name in worker.data for worker in able)]
    commands = _listed([f"`{preparation(name)}`" for name in missing or data])
    if missing:
        return f"{whose} has {' or '.join(missing)}: run {commands} on one"
    return f"{whose} has {_listed(data)} together: run {commands} on one"


def _listed(names: Sequence[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
