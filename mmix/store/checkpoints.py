"""The checkpoints that lie where all workers can read them: one row each, written after the files are whole.

A row of a run that has ended, beyond those that it keeps, says that files are still to be deleted: it goes after them.
"""

from collections.abc import Collection
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import case, delete, func, select, tuple_
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import Session

from mmix.store import attempts
from mmix.store.attempts import Key
from mmix.store.states import TERMINAL
from mmix.store.tables import Attempt, Checkpoint, Run

KEPT = 2
"""What a run keeps while it isn't finished: the newest, and the one before in case the newest doesn't verify."""

# An attempt that began anew could not use what those before it wrote, though they had come further.
_NEWEST_FIRST = (Checkpoint.attempt.desc(), Checkpoint.epoch.desc())


@dataclass(frozen=True)
class Registered:
    """A checkpoint after so many epochs; `place` is where its tensors lie, a path or a URL, `sha256` is theirs."""

    attempt: int
    epoch: int
    place: str
    sha256: str
    size_bytes: int


@dataclass(frozen=True)
class Remains:
    """What a run that has ended keeps: the places of checkpoints, and the attempt whose artifacts are its own.

    surplus: the places of the checkpoints that it doesn't keep, as far as they are registered.
    """

    checkpoints: frozenset[str]
    attempt: int | None
    surplus: tuple[str, ...] = ()


NOTHING = Remains(frozenset(), None)


def register(session: Session, key: Key, *, epoch: int, place: str, sha256: str, size_bytes: int) -> list[str]:
    """Notes a checkpoint that lies there whole; the places of those that the run needs no longer.

    Their rows are gone, their files are the caller's to delete, once this is committed. The same checkpoint twice is
    one.

    Raises: Fenced where the attempt has lost its run.
    """
    attempts.hold(session, key)
    values = {"place": place, "sha256": sha256, "size_bytes": size_bytes}
    statement = upsert(Checkpoint).values(run_id=key.run_id, attempt=key.attempt, epoch=epoch, **values)
    session.execute(statement.on_conflict_do_update(index_elements=["run_id", "attempt", "epoch"], set_=values))
    own = Checkpoint.run_id == key.run_id
    older = select(Checkpoint.attempt, Checkpoint.epoch).where(own).order_by(*_NEWEST_FIRST).offset(KEPT)
    row = tuple_(Checkpoint.attempt, Checkpoint.epoch)
    return list(session.scalars(delete(Checkpoint).where(own, row.in_(older)).returning(Checkpoint.place)))


def registered(session: Session, run_id: UUID) -> list[Registered]:
    """The checkpoints of a run, the newest first."""
    rows = session.scalars(select(Checkpoint).where(Checkpoint.run_id == run_id).order_by(*_NEWEST_FIRST))
    return [Registered(row.attempt, row.epoch, row.place, row.sha256, row.size_bytes) for row in rows]


def remains(session: Session, run_id: UUID) -> Remains | None:
    """What a run keeps; None where it goes on, or isn't known.

    One that succeeded or failed keeps its newest checkpoint, a cancelled one none.
    """
    state = session.scalar(select(Run.state).where(Run.id == run_id))
    if state not in TERMINAL:
        return None
    places = [each.place for each in registered(session, run_id)]
    kept = places[: 0 if state == "cancelled" else 1]
    succeeded = select(Attempt.n).where(Attempt.run_id == run_id, Attempt.outcome == "succeeded")
    return Remains(frozenset(kept), session.scalar(succeeded), tuple(places[len(kept) :]))


def known(session: Session, run_ids: Collection[UUID]) -> set[UUID]:
    """Those of these that are runs."""
    return set(session.scalars(select(Run.id).where(Run.id.in_(run_ids))))


def forget(session: Session, run_id: UUID, remains: Remains) -> None:
    """Takes the rows of a run's other checkpoints away: their files are gone."""
    others = (Checkpoint.run_id == run_id, Checkpoint.place.not_in(remains.checkpoints))
    session.execute(delete(Checkpoint).where(*others))


def untidy(session: Session) -> list[UUID]:
    """The runs that have ended and have more checkpoints than they keep: nobody has tidied up after them."""
    kept = case((Run.state == "cancelled", 0), else_=1)
    return list(
        session.scalars(
            select(Run.id)
            .join(Checkpoint, Checkpoint.run_id == Run.id)
            .where(Run.state.in_(TERMINAL))
            .group_by(Run.id)
            .having(func.count() > kept)
        )
    )
