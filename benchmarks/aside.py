"""A measurement in a process of its own, whose memory and threads no other measurement shares."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing import get_context
from multiprocessing.connection import Connection

Measurement = Callable[[], float]


@contextmanager
def aside(make: Callable[[], Measurement]) -> Iterator[Measurement]:
    """What `make` returns, made and run in a new process, which waits while it isn't asked. `make` is pickled."""
    context = get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=_serve, args=(make, there))  # no daemon: it may have workers of its own
    process.start()
    there.close()

    def measure() -> float:
        here.send(True)
        return float(here.recv())

    try:
        yield measure
    finally:
        here.close()
        process.join()


def _serve(make: Callable[[], Measurement], door: Connection) -> None:
    measure = make()
    while True:
        try:
            door.recv()
        except EOFError:
            return
        door.send(measure())
