"""What a supervisor and the nursery say to each other, and the trainer that comes of it."""

import json
import os
import select
import socket
import subprocess
from dataclasses import asdict, dataclass
from typing import Self

NURSERY = "MMIX_NURSERY_SOCKET"
"""The environment variable by which a worker tells its children where its nursery's socket is."""

_SECONDS = 5.0  # to be answered: a fork takes milliseconds
_KILLED = -9


@dataclass(frozen=True)
class Order:
    """The trainer that is wanted: its supervisor's socket, where it prints, and what it has in its environment."""

    socket: str
    log: str
    environment: dict[str, str]


class Forked:
    """A trainer that the nursery forked, with the handles of a `subprocess.Popen`."""

    def __init__(self, connection: socket.socket, pid: int) -> None:
        self._connection = connection
        self._code: int | None = None
        self.pid = pid

    @classmethod
    def ask(cls, nursery: str, order: Order) -> Self:
        """Has the nursery fork it.

        Raises: OSError where there is no nursery, or it doesn't answer.
        """
        connection = socket.socket(socket.AF_UNIX)
        try:
            connection.settimeout(_SECONDS)
            connection.connect(nursery)
            connection.sendall(json.dumps(asdict(order)).encode() + b"\n")
            line = _line(connection)
            if line is None:
                raise ConnectionResetError("the nursery hung up")
            return cls(connection, int(json.loads(line)["pid"]))
        except BaseException:
            connection.close()
            raise

    def poll(self) -> int | None:
        """The exit code, negative for a signal; None while it lives."""
        return self._look(0)

    def wait(self, timeout: float | None = None) -> int:
        """The exit code, once it has ended.

        Raises: subprocess.TimeoutExpired
        """
        code = self._look(timeout)
        if code is None:
            raise subprocess.TimeoutExpired("a forked trainer", timeout or 0)
        return code

    def _look(self, seconds: float | None) -> int | None:
        if self._code is None and select.select([self._connection], [], [], seconds)[0]:
            line = _line(self._connection)
            # Where the nursery died, the kernel has killed the trainer.
            self._code = _KILLED if line is None else int(json.loads(line)["code"])
            self._connection.close()
        return self._code


def read_order(connection: socket.socket) -> Order | None:
    """In the nursery: what is asked for; None where whoever called said nothing that can be understood."""
    connection.settimeout(_SECONDS)
    try:
        line = _line(connection)
        connection.settimeout(None)
        return None if line is None else Order(**json.loads(line))
    except (OSError, ValueError, TypeError):
        return None


def told_pid(pid: int) -> bytes:
    """In the nursery: that the trainer lives."""
    return json.dumps({"pid": pid}).encode() + b"\n"


def told_end(code: int) -> bytes:
    """In the nursery: that the trainer has ended."""
    return json.dumps({"code": code}).encode() + b"\n"


def command(nursery: str) -> list[str]:
    """The command line of a nursery, after the interpreter."""
    return ["-m", "worker.nursery", nursery]


def environment() -> dict[str, str]:
    """What a nursery has in its environment: libraries that start threads when they are imported must not."""
    return {**os.environ, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


def _line(connection: socket.socket) -> bytes | None:
    """The next line; None at the end of the connection. Nobody sends more than one at a time."""
    received = b""
    while not received.endswith(b"\n"):
        try:
            more = connection.recv(1 << 16)
        except ConnectionResetError:
            return None
        if not more:
            return None
        received += more
    return received
