"""How an attempt ended, written by its supervisor. Where the run is being cancelled meanwhile, it ends as cancelled.

Raises: Fenced, from each of them, where the attempt has lost its run.
"""

from sqlalchemy.orm import Session

from mmix.errors import Fenced
from mmix.store import endings
from mmix.store.leases import Lease
from worker import wire


def named(code: int | None) -> str:
    """An exit code in words."""
    return f"signal {-code}" if code is not None and code < 0 else f"exit code {code}"


def finish(session: Session, lease: Lease, end: wire.Finished, code: int | None) -> None:
    """It finished, unless it was cancelled in its last moments."""
    try:
        endings.succeed(session, lease, found=end.results, provenance=end.provenance)
    except Fenced:
        endings.end_cancelled(session, lease, exit_code=code)


def fail(session: Session, lease: Lease, end: wire.Failed, code: int | None) -> None:
    """It failed, unless it was being cancelled."""
    try:
        endings.fail(
            session,
            lease,
            failure_class=end.failure_class,
            message=end.message,
            exit_code=code,
            error=end.error,
        )
    except Fenced:
        endings.end_cancelled(session, lease, exit_code=code)


def give_back(session: Session, lease: Lease, code: int | None) -> None:
    """Its worker had to stop; the run goes back to the queue."""
    try:
        endings.preempt(session, lease, exit_code=code)
    except Fenced:
        endings.end_cancelled(session, lease, exit_code=code)


def lose(session: Session, lease: Lease, reason: str, code: int | None) -> None:
    """Its trainer died through no fault of the run."""
    try:
        endings.lose(session, lease, exit_code=code, error=reason)
    except Fenced:
        endings.end_cancelled(session, lease, exit_code=code)
