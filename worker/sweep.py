"""Ends what nobody attends to any more: trainers on this machine whose attempt is over.

A trainer ends with its supervisor, in three ways. One that hangs where it hears nothing, in a driver or on a dead
disk, would hold its device for ever: its worker, or the next one on the machine, finds it by the file in its folder.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import UUID

import structlog
from sqlalchemy.exc import DBAPIError

from mmix.store import attempts
from mmix.store.attempts import Key
from mmix.store.sessions import Sessions
from worker import processes, storage
from worker.processes import Process

_log = structlog.get_logger("worker")


@contextmanager
def swept(sessions: Sessions, scratch: Path, *, every_seconds: float) -> Iterator[None]:
    """Sweeps before the body runs, and again and again while it does: the orphans of a worker that was killed and
    started again at once hold a lease until it lapses."""
    stopped = threading.Event()

    def go_on() -> None:
        while not stopped.wait(every_seconds):
            _sweep_if_possible(sessions, scratch)

    _sweep_if_possible(sessions, scratch)
    threading.Thread(target=go_on, daemon=True).start()
    try:
        yield
    finally:
        stopped.set()


def sweep(sessions: Sessions, scratch: Path) -> set[Key]:
    """Ends the trainers of attempts that are over, says whose, and forgets those that have ended by themselves."""
    living = {}
    for path in (scratch / "runs").glob("*/*/pid"):
        key, process = _key(path), _written(path)
        if key is None or process is None:
            continue
        if process.lives:
            living[key] = process
        else:
            storage.unstage(path.parent)
            path.unlink(missing_ok=True)
    with sessions.begin() as session:
        over = attempts.over(session, living)
    for key in over:
        _end(key, living[key])
    return over


def _sweep_if_possible(sessions: Sessions, scratch: Path) -> None:
    try:
        sweep(sessions, scratch)
    except DBAPIError as error:
        _log.warning("can't tell which trainers are orphans", reason=str(error.orig).splitlines()[0])


def _end(key: Key, process: Process) -> None:
    _log.warning("an orphan is ended", run=str(key.run_id), attempt=key.attempt, pid=process.pid)
    try:
        processes.end(process)
    except PermissionError:
        _log.warning("the orphan is another user's", pid=process.pid)


def _key(path: Path) -> Key | None:
    """Whose folder it is; None where it is no attempt's."""
    try:
        return Key(UUID(path.parts[-3]), int(path.parts[-2]))
    except ValueError:
        return None


def _written(path: Path) -> Process | None:
    try:
        return processes.read(path.read_text())
    except FileNotFoundError:  # its trainer ended this very moment
        return None
