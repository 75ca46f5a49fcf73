"""The processes of one attempt on several devices, and what they leave for each other beside the supervisor's socket.

Rank 0 speaks to the supervisor and passes its order on as a file. Each rank locks a file of its own for as long as it
lives, so that the others can tell a rank that was killed from one that ended well; the first that fails leaves word.
"""

import contextlib
import fcntl
import os
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from worker import wire

_ORDER = "order"
_FAILURE = "failure"
_ORDER_SECONDS = 60.0
_TICK_SECONDS = 0.1

NEWS_SECONDS = 1.0
"""Within it a rank whose end broke a connection has left its word, or its lock."""


@dataclass(frozen=True)
class Place:
    """This process among the ranks of its attempt, and the folder of the socket."""

    rank: int
    ranks: int
    folder: Path

    @classmethod
    def of(cls, socket_path: str, environment: Mapping[str, str]) -> "Place":
        """The place that torch.distributed.run has given to this process; rank 0 of 1 where it did not start it."""
        rank, ranks = int(environment.get("RANK", "0")), int(environment.get("WORLD_SIZE", "1"))
        return cls(rank=rank, ranks=ranks, folder=Path(socket_path).parent)

    @property
    def several(self) -> bool:
        """Whether there are other ranks."""
        return self.ranks > 1


class Presence:
    """This rank's lock on its own file, held until it leaves or dies."""

    def __init__(self, place: Place) -> None:
        self._path = place.folder / f"rank-{place.rank}"
        unseen = place.folder / f"unseen-{place.rank}"
        self._file = unseen.open("w")
        fcntl.lockf(self._file, fcntl.LOCK_EX)  # not flock, whose lock the forked workers of a loader would share
        unseen.rename(self._path)  # nobody finds it before it is locked

    def leave(self) -> None:
        """Ends well: nobody takes this rank for one that was killed."""
        self._path.unlink()
        self._file.close()


def pass_on(place: Place, order: wire.Begin) -> None:
    """Gives the order to the other ranks."""
    _written(place, wire.encode(order)).rename(place.folder / _ORDER)


def await_order(place: Place) -> wire.Begin:
    """The order that rank 0 was given.

    Raises: TimeoutError where none comes.
    """
    until = time.monotonic() + _ORDER_SECONDS
    while time.monotonic() < until:
        if (place.folder / _ORDER).exists():
            order = wire.decode((place.folder / _ORDER).read_bytes())
            assert isinstance(order, wire.Begin)
            return order
        time.sleep(_TICK_SECONDS)
    raise TimeoutError(f"Rank {place.rank} was given no order within {_ORDER_SECONDS:g} s")


def watch_parent() -> None:
    """Ends this process when its parent has gone, also where the kernel doesn't see to it."""
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(_TICK_SECONDS)
        os._exit(wire.WATCHDOG_EXIT)

    threading.Thread(target=watch, daemon=True).start()


def leave_word(place: Place, failure: wire.Failed, *, patience_seconds: float) -> wire.Failed | None:
    """Leaves word of this rank's failure, unless it follows from another rank's end.

    Answers the word of the rank that failed first; None where a rank was killed and nobody has failed. News of the
    others may take `patience_seconds`.
    """
    until = time.monotonic() + patience_seconds
    while True:
        first = word(place.folder)
        if first is not None or _one_was_killed(place):
            return first or word(place.folder)
        if time.monotonic() >= until:
            break
        time.sleep(_TICK_SECONDS)
    with contextlib.suppress(FileExistsError):
        os.link(_written(place, wire.encode(_named(place, failure))), place.folder / _FAILURE)
    return word(place.folder)


def word(folder: Path) -> wire.Failed | None:
    """What the rank left that failed first; None where none did."""
    path = folder / _FAILURE
    if not path.exists():
        return None
    failure = wire.decode(path.read_bytes())
    assert isinstance(failure, wire.Failed)
    return failure


def all_gone(folder: Path) -> bool:
    """Whether no rank lives any more."""
    return not any(_locked(path) for path in folder.glob("rank-*"))


def _one_was_killed(place: Place) -> bool:
    others = set(place.folder.glob("rank-*")) - {place.folder / f"rank-{place.rank}"}
    return any(path.exists() and not _locked(path) for path in others)


def _locked(path: Path) -> bool:
    try:
        with path.open() as file:
            fcntl.lockf(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):  # which of the two is left to the system
        return True
    except FileNotFoundError:  # it left this very moment
        return False
    return False


def _written(place: Place, content: bytes) -> Path:
    path = place.folder / f"unread-{place.rank}"
    path.write_bytes(content)
    return path


def _named(place: Place, failure: wire.Failed) -> wire.Failed:
    message = failure.message if place.rank == 0 else f"Rank {place.rank} of {place.ranks}: {failure.message}"
    return wire.Failed(failure_class=failure.failure_class, message=message, error=failure.error)
