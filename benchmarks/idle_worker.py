"""A worker whose trainers do nothing: `python -m benchmarks.idle_worker` shows what the queue itself costs.

All of it is real but the trainers: its nursery forks, for each attempt, a process that tells its supervisor of a start
and of a result, and ends.
"""

import socket
import sys
from collections.abc import Sequence

from worker import birth, main, nursery, train, wire


def idle(path: str) -> None:
    """In the forked child: what a trainer says, without what it does."""
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(path)
    while not any(isinstance(message, wire.Begin) for message in wire.Lines(connection).read()):
        pass
    connection.sendall(wire.encode(wire.Started(pid=1, first_epoch=1)))
    connection.sendall(wire.encode(wire.Finished({"last": {"error": 0.5}}, {}, seconds=0.0)))
    connection.close()


def _command(path: str) -> Sequence[str]:
    return ["-m", "benchmarks.idle_worker", path]


if __name__ == "__main__":
    if len(sys.argv) > 1:
        train.main = idle
        nursery.main()
    else:
        birth.command = _command  # type: ignore[assignment]
        main.main()
