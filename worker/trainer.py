"""The supervisor's end of a trainer: start it, hear it, end it.

On one device a trainer is one process. On several it is torch's agent and a rank per device: the agent starts each in a
session of its own, out of reach of a signal to the agent's group, but none outlives the agent.
"""

import contextlib
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import structlog

from mmix.parentage import OWN_PID, bound_command
from worker import processes, ranks, wire
from worker.birth import NURSERY, Forked, Order

_log = structlog.get_logger("worker")

LOG = "trainer.log"
"""What a trainer prints to, in its attempt's folder."""

_LAST_WORDS = 2000  # characters of a dead trainer's output that are kept
_PARTING_SECONDS = 10.0  # from the end of the socket to the end of the process
_RANKS_SECONDS = 3.0  # from the end of the agent to the end of its ranks


class Trainer:
    """A child process in a session of its own, and the socket to it; `threads` are those of each rank."""

    def __init__(self, *, folder: Path, devices: int, threads: int, environment: dict[str, str]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._log = folder / LOG
        # Not in the attempt's folder: a socket's path may have 107 bytes at most.
        self._private = tempfile.TemporaryDirectory(prefix="mmix-")
        self._folder = Path(self._private.name)
        path = os.path.join(self._private.name, "supervisor.sock")
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(path)
        self._listener.listen(1)
        self._listener.setblocking(False)
        self._connection: socket.socket | None = None
        self._ended_at: float | None = None
        self._lines: wire.Lines | None = None
        added = {**environment, "OMP_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads)}
        forked = _forked(Order(path, str(self._log), added)) if devices == 1 else None
        self._process: Forked | subprocess.Popen[bytes] = forked or self._cold(_command(path, devices=devices), added)
        self._note = folder / "pid"
        self._note.write_text(str(processes.find(self._process.pid) or self._process.pid))

    def _cold(self, command: list[str], added: dict[str, str]) -> subprocess.Popen[bytes]:
        with self._log.open("ab") as log:
            return subprocess.Popen(
                bound_command(*command),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                env={**os.environ, **added},
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None) -> None:
        self.kill()
        self._process.wait()
        self._note.unlink(missing_ok=True)
        self._listener.close()
        if self._connection is not None:
            self._connection.close()
        self._private.cleanup()

    @property
    def connected(self) -> bool:
        """Whether the trainer has called."""
        return self._connection is not None

    @property
    def heard_out(self) -> bool:
        """Whether nothing more will come: it closed the socket and ended, or died before it called."""
        gone = self._process.poll() is not None
        return gone if self._lines is None else self._lines.ended and (gone or self._parted())

    def _parted(self) -> bool:
        """Whether the end of the socket is so long ago that the process won't end by itself."""
        self._ended_at = self._ended_at or time.monotonic()
        return time.monotonic() > self._ended_at + _PARTING_SECONDS

    @property
    def exit_code(self) -> int | None:
        """The exit code, negative for a signal; None while it lives."""
        return self._process.poll()

    def stirs(self, seconds: float, *, beside: Sequence[int] = ()) -> bool:
        """Waits at most so long, or until one of those beside can be read; says whether the trainer calls or speaks."""
        if self._lines is not None and self._lines.ended:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(seconds)
            return False
        own = (self._connection or self._listener).fileno()
        return own in select.select([own, *beside], [], [], seconds)[0]

    def accept(self) -> None:
        """Answers the trainer's call, if it has come."""
        try:
            connection, _ = self._listener.accept()
        except BlockingIOError:
            return
        connection.setblocking(True)
        connection.settimeout(5)  # for sending: a trainer that is stopped must not stop its supervisor
        self._connection, self._lines = connection, wire.Lines(connection)

    def events(self) -> list[wire.Downward | wire.Event]:
        """What the trainer has said since; call it when the socket is readable."""
        return [] if self._lines is None or self._lines.ended else self._lines.read()

    def tell(self, message: wire.Downward) -> None:
        """Sends a message down; a trainer that can't hear will be noticed by its silence."""
        if self._connection is None:
            return
        try:
            self._connection.sendall(wire.encode(message))
        except OSError:
            return

    def kill(self) -> None:
        """Ends the trainer and whatever it started."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        deadline = time.monotonic() + _RANKS_SECONDS
        while not ranks.all_gone(self._folder) and time.monotonic() < deadline:
            time.sleep(0.02)  # their devices are not free before

    def word(self) -> wire.Failed | None:
        """What a rank left that failed and could not say so."""
        return ranks.word(self._folder)

    def last_words(self) -> str:
        """The end of what it printed."""
        return self._log.read_text(errors="replace")[-_LAST_WORDS:].strip()


def _forked(order: Order) -> Forked | None:
    """The trainer from the worker's nursery; None where there is none, or it doesn't answer."""
    nursery = os.environ.get(NURSERY)
    if nursery is None:
        return None
    try:
        return Forked.ask(nursery, order)
    except OSError as error:
        _log.info("the nursery doesn't answer, the trainer starts cold", reason=str(error))
        return None


def _command(socket_path: str, *, devices: int) -> list[str]:
    """The command line of the trainer; the ranks are children of the agent that they must not outlive."""
    trainer = ["worker.train", socket_path]
    if devices == 1:
        return [sys.executable, "-m", *trainer]
    agent = [
        *(sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={devices}"),
        *("--max-restarts=0", "--shutdown-timeout=5", "--local-addr=localhost"),
        f"--log-dir={Path(socket_path).parent}",
    ]
    return [*agent, "-m", "mmix.parentage", OWN_PID, sys.executable, "-m", *trainer]
