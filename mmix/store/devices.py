"""The devices of workers: rows that a claim takes and the end of its attempt gives back."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import exists, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import Session

from mmix.store.attempts import Key
from mmix.store.states import DeviceKind
from mmix.store.tables import Device, Worker


@dataclass(frozen=True)
class Listed:
    """A device as its worker found it."""

    uuid: str
    kind: DeviceKind


def enlist(session: Session, *, worker_id: UUID, devices: Sequence[Listed]) -> None:
    """Registers a worker's devices; one that is known already stays as it is, held or free."""
    rows = [{"worker_id": worker_id, "uuid": each.uuid, "kind": each.kind} for each in devices]
    session.execute(upsert(Device).on_conflict_do_nothing(), rows)


def lock_free(session: Session, *, worker_id: UUID, count: int) -> list[str]:
    """Locks `count` free devices of this worker until the transaction ends, fewer where it lacks them; their UUIDs.

    A worker that gives its runs back has none to offer.
    """
    # Those that another claim is just taking are passed over: of two claims at once none waits, and none shares.
    return list(
        session.scalars(
            select(Device.uuid)
            .where(Device.worker_id == worker_id, Device.run_id.is_(None), ~_drains(worker_id))
            .order_by(Device.uuid)
            .limit(count)
            .with_for_update(skip_locked=True)
        )
    )


def _drains(worker_id: UUID) -> Any:
    return exists().where(Worker.id == worker_id, Worker.draining)


def hold(session: Session, key: Key, *, worker_id: UUID, uuids: Sequence[str]) -> None:
    """Gives this worker's devices to an attempt."""
    chosen = tuple_(Device.worker_id, Device.uuid).in_([(worker_id, uuid) for uuid in uuids])
    session.execute(update(Device).where(chosen).values(run_id=key.run_id, attempt=key.attempt))


def free(session: Session, key: Key) -> None:
    """Takes back the devices that an attempt held."""
    held = (Device.run_id == key.run_id, Device.attempt == key.attempt)
    session.execute(update(Device).where(*held).values(run_id=None, attempt=None))
