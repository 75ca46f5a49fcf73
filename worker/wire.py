"""What trainer and supervisor say to each other over a Unix socket: JSON lines.

Downward: one `Begin`, then `Deadline`s and perhaps a `Stop`. Upward: events. End of file ends the trainer.
"""

import json
import socket
from dataclasses import dataclass
from typing import Any

STOPPED_EXIT = 0
FAILED_EXIT = 1
WATCHDOG_EXIT = 75  # EX_TEMPFAIL: the supervisor is gone, or the lease may have lapsed


@dataclass(frozen=True)
class Begin:
    """Everything a trainer needs to know; `deadline` is on the machine's monotonic clock, in seconds.

    checkpoints, artifacts: where they are to lie, folders or URLs that all workers share. scratch: a folder of this
    machine. resume: where registered checkpoints lie, the newest first, with the SHA-256 of their tensors.
    """

    spec: dict[str, Any]
    seed: int
    device: str
    threads: int
    data: str
    checkpoints: str
    artifacts: str
    scratch: str
    resume: dict[str, str]
    deadline: float


@dataclass(frozen=True)
class Deadline:
    """The lease holds until then, on the machine's monotonic clock, in seconds."""

    deadline: float


@dataclass(frozen=True)
class Stop:
    """Please end after the step at hand."""

    stop: bool = True


@dataclass(frozen=True)
class Started:
    """The trainer works; `first_epoch` is 1 when fresh."""

    pid: int
    first_epoch: int


@dataclass(frozen=True)
class Trained:
    """One more epoch is done, and so many steps of the optimiser in all; `seconds_left` is a guess.

    `seconds` have passed since the trainer was ready, with its data read and its network built.
    """

    epoch: int
    metrics: dict[str, float]
    step: int
    images_per_second: float
    seconds_left: float
    seconds: float


@dataclass(frozen=True)
class Saved:
    """The checkpoint after so many epochs lies whole where all workers can read it; `sha256` is of its tensors."""

    epoch: int
    place: str
    sha256: str
    size_bytes: int


@dataclass(frozen=True)
class Finished:
    """All is done: {selection: {metric: value}} and where it comes from; `seconds` as in `Trained`."""

    results: dict[str, dict[str, float]]
    provenance: dict[str, Any]
    seconds: float


@dataclass(frozen=True)
class Failed:
    """The run can't succeed; `message` is for its owner, `error` for whoever debugs it."""

    failure_class: str
    message: str
    error: str


@dataclass(frozen=True)
class Stopped:
    """The trainer ended because it was asked to."""

    epoch: int


Downward = Begin | Deadline | Stop
Event = Started | Trained | Saved | Finished | Failed | Stopped

_KINDS: dict[str, type[Downward | Event]] = {
    kind.__name__: kind for kind in (Begin, Deadline, Stop, Started, Trained, Saved, Finished, Failed, Stopped)
}


def encode(message: Downward | Event) -> bytes:
    """The message as one line."""
    line = {"kind": type(message).__name__, **vars(message)}  # asdict copies all that is in it: six times slower
    return json.dumps(line, allow_nan=True, separators=(",", ":")).encode() + b"\n"


def decode(line: bytes) -> Downward | Event:
    """The message of one line."""
    fields = json.loads(line)
    return _KINDS[fields.pop("kind")](**fields)


class Lines:
    """Cuts what a socket delivers into messages."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._rest = b""
        self.ended = False

    def read(self) -> list[Downward | Event]:
        """The messages that are complete now; sets `ended` at end of file. Blocks as the socket does."""
        try:
            received = self._connection.recv(1 << 16)
        except (BlockingIOError, TimeoutError, InterruptedError):
            return []
        except OSError:
            received = b""
        if not received:
            self.ended = True
            return []
        *whole, self._rest = (self._rest + received).split(b"\n")
        return [decode(line) for line in whole]
