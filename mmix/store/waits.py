"""Runs that nobody may work on yet: those that wait for other runs, and those that wait to be tried again."""

from typing import Any

from sqlalchemy import exists, func, or_, select, update
from sqlalchemy.orm import Session, aliased

from mmix.store.tables import Need, Run

_Needed = aliased(Run)


def promote(session: Session) -> int:
    """Queues the runs whose wait is over, and fails those that wait in vain; says how many changed.

    Looked at again and again rather than once when something ends: so no end can be missed.
    """
    if not session.scalar(select(exists().where(Run.state.in_(("blocked", "retry_wait"))))):
        return 0  # so it is most of the time, and this is looked at whenever a run ends
    return _queue_due(session) + _fail_doomed(session) + _queue_unblocked(session)


def _queue_due(session: Session) -> int:
    due = (Run.state == "retry_wait", Run.not_before <= func.now())
    return _changed(session, update(Run).where(*due).values(state="queued", not_before=None, dispatched_at=None))


def _queue_unblocked(session: Session) -> int:
    ready = (Run.state == "blocked", ~_needs(_Needed.state != "succeeded"))
    return _changed(session, update(Run).where(*ready).values(state="queued", dispatched_at=None))


def _fail_doomed(session: Session) -> int:
    """A run with a need that failed or was cancelled waits in vain; its owner is told which one."""
    ended = or_(_Needed.state == "failed", _Needed.state == "cancelled")
    first = (
        select(_Needed.id)
        .join(Need, Need.needs_run_id == _Needed.id)
        .where(Need.run_id == Run.id, ended)
        .order_by(_Needed.id)
        .limit(1)
        .scalar_subquery()
    )
    return _changed(
        session,
        update(Run)
        .where(Run.state == "blocked", _needs(ended))
        .values(
            state="failed",
            failure_class="need_failed",
            failure_message=func.format(
                "Run %s, which had to succeed first, did not: retry that one, then this", first
            ),
            finished_at=func.now(),
        ),
    )


def _needs(condition: Any) -> Any:
    """Whether a run needs another one of which this holds."""
    return exists(
        select(Need.run_id)
        .join(_Needed, _Needed.id == Need.needs_run_id)
        .where(Need.run_id == Run.id, condition)
        .correlate(Run)
    )


def _changed(session: Session, statement: Any) -> int:
    return len(session.scalars(statement.returning(Run.id).execution_options(synchronize_session=False)).all())
