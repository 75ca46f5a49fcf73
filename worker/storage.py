"""Deletes the files of checkpoints and artifacts that nobody needs any more; nothing here loads torch.

What can't be deleted costs room and nothing else: it is logged, and `mmix prune` finds it.
"""

import queue
import re
import shutil
import threading
from collections import defaultdict
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from uuid import UUID

import structlog
from sqlalchemy.exc import DBAPIError

from mmix import files
from mmix.errors import StorageError
from mmix.store import checkpoints
from mmix.store.checkpoints import NOTHING, Remains
from mmix.store.sessions import Sessions
from worker.delivery import STAGED

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")

_log = structlog.get_logger("worker")


def document(place: str) -> str:
    """Where the document lies that vouches for a checkpoint's tensors."""
    return place.removesuffix(".safetensors") + ".json"


def delete_soon(places: Iterable[str]) -> None:
    """Deletes these checkpoints in a thread of its own: whoever renews a lease must not wait for a storage."""
    for place in places:
        _remover().put(place)


def delete_now(places: Iterable[str]) -> None:
    """Deletes these checkpoints; one that is gone already is no matter.

    Raises: StorageError
    """
    for place in places:
        files.delete(document(place))  # first what vouches, then what it vouched for
        files.delete(place)


def tidy(sessions: Sessions, run_id: UUID, *, artifacts: str) -> None:
    """Deletes what a run that has ended doesn't keep: checkpoints, and artifacts of attempts that came to nothing.

    artifacts: the folder or URL that all workers share. Nothing happens where the run goes on.
    """
    try:
        with sessions.begin() as session:
            remains = checkpoints.remains(session, run_id)
        if remains is None:
            return
        delete_now(remains.surplus)
        folder = f"{artifacts}/runs/{run_id}"
        for place in _surplus(remains, _files(folder), folder):
            files.delete(place)
        if remains.surplus:
            with sessions.begin() as session:
                checkpoints.forget(session, run_id, remains)  # not before: the rows say what is still to be deleted
    except StorageError as error:
        _log.warning("could not tidy up", run=str(run_id), reason=str(error))
    except DBAPIError as error:
        _log.warning("the database can't be reached", run=str(run_id), reason=str(error.orig))


def tidy_all(sessions: Sessions, *, artifacts: str) -> None:
    """Tidies up after the runs that ended without a worker: cancelled while they waited, or given up by the reaper."""
    try:
        with sessions.begin() as session:
            untidy = checkpoints.untidy(session)
    except DBAPIError as error:
        _log.warning("the database can't be reached", reason=str(error.orig))
        return
    for run_id in untidy:
        tidy(sessions, run_id, artifacts=artifacts)


def unstage(folder: Path) -> None:
    """Deletes what a trainer that was killed has left in its attempt's folder, on its way to a URL."""
    shutil.rmtree(folder / STAGED, ignore_errors=True)


def needless(sessions: Sessions, *, artifacts: str) -> dict[str, int]:
    """The files that nobody needs, and their sizes in bytes: what an ended run doesn't keep, and all of unknown runs.

    Raises: StorageError
    """
    folder = f"{artifacts}/runs"
    runs: dict[UUID, dict[str, int]] = defaultdict(dict)
    for place, size in _files(folder).items():
        name = place.removeprefix(f"{folder}/").split("/")[0]
        if _UUID.fullmatch(name):
            runs[UUID(name)][place] = size
    with sessions.begin() as session:  # after the listing: a run has a row before it has files
        known = checkpoints.known(session, runs)
        kept = {run_id: checkpoints.remains(session, run_id) for run_id in known}
    kept |= {run_id: NOTHING for run_id in runs if run_id not in known}
    return {
        place: runs[run_id][place]
        for run_id, remains in kept.items()
        if remains is not None
        for place in _surplus(remains, runs[run_id], f"{folder}/{run_id}")
    }


def _files(folder: str) -> dict[str, int]:
    """The checkpoints and artifacts below the folder, also unfinished ones, and their sizes."""
    sizes = files.sizes(folder)
    kinds = (["checkpoints"], ["artifacts"])
    return {f"{folder}/{name}": size for name, size in sizes.items() if name.split("/")[-2:-1] in kinds}


def _surplus(remains: Remains, places: Iterable[str], folder: str) -> list[str]:
    """Those of an ended run's files, in its folder, that it doesn't keep."""
    kept = remains.checkpoints | {document(place) for place in remains.checkpoints}
    own = f"{folder}/{remains.attempt}/artifacts/"
    return [place for place in places if place not in kept and not place.startswith(own)]


@cache
def _remover() -> "queue.SimpleQueue[str]":
    """What this process is to delete, and a thread that does."""
    waiting: queue.SimpleQueue[str] = queue.SimpleQueue()

    def work() -> None:
        while True:
            place = waiting.get()
            try:
                delete_now([place])
            except StorageError as error:
                _log.warning("could not delete a checkpoint", reason=str(error))

    threading.Thread(target=work, daemon=True).start()
    return waiting
