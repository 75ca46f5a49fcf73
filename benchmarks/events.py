"""How many points of curves are stored in a second, and what recording costs a training; about three minutes.

Points are stored as supervisors store them, in batches of a thousand under the fence, over one connection to the
embedded PostgreSQL. Then a small network trains in two processes in turn. One of them also sends 200 points a second
up a socket to a third process, which takes them down and stores them each second, as a supervisor does. They train on
all cores, and PostgreSQL and the recorder have no others: what these take, the training loses.

Two figures say how much that is. The processor time of telling, recording and storing, a second of training, is what
the training loses at most: all of it, were all of its threads to wait whenever one core does something else. It is
steady. The ratio of the two trainings' own times is what they were seen to lose, and as noisy as the machine.
"""

import socket
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from itertools import count, islice
from multiprocessing import get_context
from multiprocessing.sharedctypes import Synchronized
from pathlib import Path
from uuid import uuid4

import psutil
import torch

from benchmarks import subjects
from benchmarks.aside import Measurement, aside
from benchmarks.figures import Figure, in_turn, over
from benchmarks.steps import steps
from mmix import embedded
from mmix.settings import Settings
from mmix.store import events, experiments, leases, schema, workers
from mmix.store import sessions as store
from mmix.store.devices import Listed
from mmix.store.events import Batch, Point
from mmix.store.experiments import Wish
from mmix.store.leases import Lease
from mmix.store.sessions import Sessions
from mmix.training.memory import keep_memory
from worker import wire
from worker.journal import Journal

STORED_GOAL, SLOWED_GOAL = 10_000, 0.01
METRICS = [f"metric {number}" for number in range(10)]
"""Of an epoch: a training that measures its test split has about as many."""
BATCH, BATCHES = 1000, 50
POINTS_PER_SECOND = 200
"""The fastest of the examples, digits-erm.yaml, comes to 35 epochs of six metrics a second in the service."""
FLUSH_SECONDS = 1.0
BATCH_SIZE, STEPS = 100, 160
ROUNDS = 25


def figures() -> Iterator[Figure]:
    """The points stored in a second, the seconds of the training alone, and what recording costs it."""
    with _database() as served:
        yield over("points stored in batches of 1,000", _stored(served), "points/s", goal=STORED_GOAL)
        telling: Synchronized[float] = get_context("spawn").Value("d")
        with (
            _recorder(served) as (door, recorder),
            aside(_alone) as alone,
            aside(partial(_recorded, door, telling)) as recorded,
        ):
            account = _Account(served, recorder, telling, training=recorded)
            pairs = in_turn(alone, account.measure, rounds=ROUNDS)
    yield over(f"{STEPS} steps of a convnet, unrecorded", [first for first, _ in pairs], "s")
    name = f"processor time of recording {POINTS_PER_SECOND} points a second"
    yield over(name, account.shares[-ROUNDS:], "of a core", goal=SLOWED_GOAL, sense="<=")
    slowed = [second / first - 1 for first, second in pairs]
    yield over(f"training seen slowed by {POINTS_PER_SECOND} points a second", slowed, "fraction")


class _Account:
    """Measures the recorded training, and of each time what telling, the recorder and PostgreSQL took of a core."""

    def __init__(
        self, served: Settings, recorder: int, telling: "Synchronized[float]", *, training: Measurement
    ) -> None:
        self.shares: list[float] = []
        self._home = str(served.home)
        self._recorder = recorder
        self._telling = telling
        self._training = training

    def measure(self) -> float:
        before = self._spent()
        seconds = self._training()
        self.shares.append((self._spent() - before) / seconds)
        return seconds

    def _spent(self) -> float:
        """Seconds of processor time so far, to the hundredth that the system counts in."""
        processes = [psutil.Process(self._recorder)]
        for process in psutil.process_iter(["cmdline"]):
            if self._home in " ".join(process.info["cmdline"] or ()) and process.name() == "postgres":
                processes += [process, *process.children(recursive=True)]
        spent = (process.cpu_times() for process in processes)
        return self._telling.value + sum(times.user + times.system for times in spent)


@contextmanager
def _database() -> Iterator[Settings]:
    with tempfile.TemporaryDirectory(prefix="mmix-bench-") as home:
        settings = Settings(home=Path(home), database_url=None)
        with embedded.database(settings) as served:
            engine = store.engine(served)
            schema.migrate(engine)
            engine.dispose()
            yield served


@contextmanager
def _sessions(served: Settings) -> Iterator[Sessions]:
    engine = store.engine(served, pool_size=1)
    yield store.sessions(engine)
    engine.dispose()


def _lease(sessions: Sessions) -> Lease:
    """The lease of a new worker on a new run."""
    spec = subjects.spec(subjects.CONVNET, batch_size=BATCH_SIZE, mixing=subjects.MANIFOLD)
    worker_id, slots = uuid4(), [Listed("cpu-0", "cpu")]
    with sessions.begin() as session:
        workers.beat(
            session,
            worker_id=worker_id,
            host="here",
            pid=1,
            queues=("any",),
            inventory=slots,
            data={spec.data.kind: None},
        )
        made = experiments.create(session, owner="local", spec=spec, wish=Wish(seeds=(0,)))
        lease = leases.claim(
            session,
            run_id=experiments.get(session, owner="local", experiment_id=made).runs[0].id,
            worker_id=worker_id,
            host="here",
            queues=("any",),
            lease_seconds=3600,
        )
    assert lease is not None
    return lease


def _stored(served: Settings) -> list[float]:
    """The points stored in a second, of each round."""
    with _sessions(served) as sessions:
        lease = _lease(sessions)
        points = (Point(name, epoch, 0.5) for epoch in count(1) for name in METRICS)
        return [_points_per_second(sessions, lease, points) for _ in range(ROUNDS)]


def _points_per_second(sessions: Sessions, lease: Lease, points: Iterator[Point]) -> float:
    batches = [Batch(points=list(islice(points, BATCH))) for _ in range(BATCHES)]
    start = time.perf_counter()
    for batch in batches:
        with sessions.begin() as session:
            events.record(session, lease, batch)
    return BATCH * BATCHES / (time.perf_counter() - start)


@contextmanager
def _recorder(served: Settings) -> Iterator[tuple[str, int]]:
    """The path of the socket at which a process of its own takes down what it is told, and that process."""
    with tempfile.TemporaryDirectory(prefix="mmix-bench-") as folder:
        door = str(Path(folder) / "socket")
        process = get_context("spawn").Process(target=_record, args=(served, door))
        process.start()
        while not Path(door).exists():
            time.sleep(0.05)
        assert process.pid is not None
        yield door, process.pid
        process.join()  # it ends with the training that it listens to


def _record(served: Settings, door: str) -> None:
    with socket.socket(socket.AF_UNIX) as listener, _sessions(served) as sessions:
        journal = Journal(_lease(sessions), log=Path(door).parent / "trainer.log")
        unseen = f"{door}.unseen"
        listener.bind(unseen)
        listener.listen(1)
        Path(unseen).rename(door)
        connection, _ = listener.accept()
        with connection:
            _take_down(connection, journal, sessions)


def _take_down(connection: socket.socket, journal: Journal, sessions: Sessions) -> None:
    lines, flush_at = wire.Lines(connection), time.monotonic()
    connection.settimeout(FLUSH_SECONDS)
    while not lines.ended:
        for event in lines.read():
            assert isinstance(event, wire.Trained)
            journal.add(event)
        if time.monotonic() > flush_at:
            flush_at += FLUSH_SECONDS
            journal.flush(sessions, seconds=FLUSH_SECONDS)


def _alone() -> Measurement:
    trained = _training()
    return lambda: _seconds(trained)


def _recorded(door: str, telling: "Synchronized[float]") -> Measurement:
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(door)
    trained = _telling(_training(), connection, telling)
    return lambda: _seconds(trained)


def _training() -> Iterator[int]:
    """Takes a step whenever it is asked for the next one."""
    torch.set_num_threads(subjects.THREADS)
    keep_memory()
    spec = subjects.spec(subjects.CONVNET, batch_size=BATCH_SIZE, mixing=subjects.MANIFOLD)
    return steps(subjects.learner(spec, subjects.images(STEPS * BATCH_SIZE)))


def _telling(trained: Iterator[int], connection: socket.socket, telling: "Synchronized[float]") -> Iterator[int]:
    """The same steps, and after each as many epochs' events as its time is worth."""
    told, seconds = 0, 0.0
    start = time.perf_counter()
    for images in trained:
        seconds += time.perf_counter() - start
        spent = time.thread_time()
        while told * len(METRICS) < seconds * POINTS_PER_SECOND:
            told += 1
            connection.sendall(wire.encode(_event(told)))
        telling.value += time.thread_time() - spent
        yield images
        start = time.perf_counter()  # the time in which nobody asked doesn't count


def _event(epoch: int) -> wire.Trained:
    metrics = dict.fromkeys(METRICS, 0.5)
    return wire.Trained(epoch=epoch, metrics=metrics, step=epoch, images_per_second=1.0, seconds_left=1.0, seconds=1.0)


def _seconds(trained: Iterator[int]) -> float:
    start = time.perf_counter()
    for _ in islice(trained, STEPS):
        pass
    return time.perf_counter() - start


if __name__ == "__main__":
    for figure in figures():
        print(figure.line())
