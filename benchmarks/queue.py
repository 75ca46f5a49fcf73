"""How fast the queue is, with everything on this machine: database, Redis, API, dispatcher and worker; three minutes.

To a run's way from its POST: until its attempt's row is running, and until the trainer has told of the first epoch,
which is a single step here, so that the first step came before. Then a thousand runs through one worker with four
slots: with a trainer that does nothing, which is what the queue itself costs, and with the smallest real training.
At last what it costs to renew the leases of a thousand running runs, each every ten seconds.
"""

import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import text

from benchmarks.figures import Figure
from mmix import embedded
from mmix.cli.household import environment_of, opened
from mmix.client import Client
from mmix.parentage import bound_command
from mmix.settings import Settings
from mmix.spec.experiment import ExperimentSpec
from mmix.store import experiments, leases, sessions, workers
from mmix.store.devices import Listed
from mmix.store.experiments import Wish
from mmix.store.leases import Lease
from mmix.store.sessions import Sessions

POSTS, RUNS, REAL_RUNS, RENEWALS = 100, 1_000, 200, 1_000
SLOTS, WARMING = 4, 8
RENEWAL_SECONDS, PATIENCE_SECONDS, LOOK_SECONDS = 10.0, 300.0, 0.005
SMALLEST = ExperimentSpec.model_validate(
    {
        "model": {"kind": "mlp", "hidden": [8]},
        "data": {"kind": "gaussian_mixture", "points": 100, "test_size": 100},
        "mixing": {"kind": "erm"},
        "training": {"epochs": 1, "batch_size": 100},
        "evaluation": {"attacks": []},
    }
)


@dataclass(frozen=True)
class Service:
    """A service of our own: its settings, its database and its REST API."""

    settings: Settings
    rows: Sessions
    client: Client


def figures() -> Iterator[Figure]:
    """Latencies, runs a second, and the share of a core that renewals take."""
    with _service(slots=1, workers=1) as service:
        _warm_up(service)
        yield from _latencies(service)
    yield from _many("runs whose trainer does nothing", RUNS, program="benchmarks.idle_worker", goal=25)
    yield from _many("smallest real runs", REAL_RUNS, program="worker.main", goal=None)
    with _service(slots=1, workers=0) as service:
        yield _renewals(service.rows)


def _latencies(service: Service) -> Iterator[Figure]:
    running, stepping = [], []
    for seed in range(POSTS):
        began = time.perf_counter()
        run_id = service.client.submit(SMALLEST, seeds=[seed])["runs"][0]["id"]
        _until(partial(_attempted, service.rows, run_id))
        running.append(time.perf_counter() - began)
        _until(partial(_stepped, service.settings, run_id))
        stepping.append(time.perf_counter() - began)
        _until(partial(_succeeded, service.rows, 1 + WARMING + seed))
    yield _quantile("POST to a running attempt, p50", running, 50, goal=0.1)
    yield _quantile("POST to a running attempt, p99", running, 99, goal=0.5)
    yield _quantile("POST to the end of the first step, p50", stepping, 50, goal=0.4)


def _many(name: str, count: int, *, program: str, goal: float | None) -> Iterator[Figure]:
    with _service(slots=SLOTS, workers=0) as service, _worker(service.settings, program):
        _warm_up(service)
        began = time.perf_counter()
        service.client.submit(SMALLEST, seeds=range(count))
        _until(partial(_succeeded, service.rows, count + WARMING))
        rate = count / (time.perf_counter() - began)
    yield Figure(f"{count} {name}, one worker with {SLOTS} slots", rate, "runs/s", rate, rate, 1, goal, ">=")


def _renewals(rows: Sessions) -> Figure:
    """The processor's time of both ends, client and PostgreSQL's backend, for what a thousand runs ask in 10 s."""
    held = _claimed(rows, RENEWALS)
    shares = [_share(rows, held) for _ in range(6)][1:]
    middle = statistics.median(shares)
    name = f"renewing {RENEWALS} runs, each every {RENEWAL_SECONDS:.0f} s"
    return Figure(name, middle, "of a core", min(shares), max(shares), len(shares), 0.2, "<=")


def _share(rows: Sessions, held: list[Lease]) -> float:
    began = _processor_seconds(rows)
    for lease in held:
        with rows.begin() as session:
            leases.renew(session, lease, lease_seconds=60)
    return (_processor_seconds(rows) - began) / RENEWAL_SECONDS


def _processor_seconds(rows: Sessions) -> float:
    own = resource.getrusage(resource.RUSAGE_SELF)
    with rows.begin() as session:
        backend = session.scalar(text("SELECT pg_backend_pid()"))
    ticks = Path(f"/proc/{backend}/stat").read_text().rpartition(")")[2].split()[11:13]
    return own.ru_utime + own.ru_stime + sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK")


def _claimed(rows: Sessions, count: int) -> list[Lease]:
    worker_id = uuid4()
    with rows.begin() as session:
        slots = [Listed(f"cpu-{number}", "cpu") for number in range(count)]
        workers.beat(session, worker_id=worker_id, host="here", pid=1, queues=("any",), inventory=slots, data={})
        asked = experiments.create(session, owner="local", spec=SMALLEST, wish=Wish(seeds=tuple(range(count))))
        runs = experiments.get(session, owner="local", experiment_id=asked).runs
    return [_claim(rows, run.id, worker_id) for run in runs]


def _claim(rows: Sessions, run_id: UUID, worker_id: UUID) -> Lease:
    with rows.begin() as session:
        lease = leases.claim(
            session, run_id=run_id, worker_id=worker_id, host="here", queues=("any",), lease_seconds=600
        )
    assert lease is not None
    return lease


@contextmanager
def _service(*, slots: int, workers: int) -> Iterator[Service]:
    with (
        tempfile.TemporaryDirectory(prefix="mmix-bench-", ignore_cleanup_errors=True) as name,
        embedded.postgresql(Path(name) / "postgresql") as database_url,
        embedded.redis_server(Path(name) / "redis") as redis_url,
    ):
        settings = Settings(home=Path(name), database_url=database_url, redis_url=redis_url, slots=slots, threads=1)
        with opened(settings, port=0, workers=workers) as house, Client(house.url) as client:
            engine = sessions.engine(settings, pool_size=1, trusted_seconds=0)  # renewals are too rare to be trusted
            yield Service(settings, sessions.sessions(engine), client)
            engine.dispose()


@contextmanager
def _worker(settings: Settings, program: str) -> Iterator[None]:
    environment = {**os.environ, **environment_of(settings)}
    with (settings.home / "worker.log").open("wb") as log:
        command = bound_command(sys.executable, "-m", program)
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
    try:
        yield
    finally:
        process.kill()
        process.wait()


def _warm_up(service: Service) -> None:
    """Runs a few, so that connections are made, and what is loaded late is loaded."""
    service.client.submit(SMALLEST, seeds=range(WARMING))
    _until(partial(_succeeded, service.rows, WARMING))


def _attempted(rows: Sessions, run_id: str) -> bool:
    return _count(rows, "SELECT count(*) FROM attempts WHERE run_id = :id", id=UUID(run_id)) > 0


def _stepped(settings: Settings, run_id: str) -> bool:
    log = settings.scratch_folder / "runs" / run_id / "1" / "trainer.log"
    return log.exists() and "epoch 1/1" in log.read_text()


def _succeeded(rows: Sessions, count: int) -> bool:
    return _count(rows, "SELECT count(*) FROM runs WHERE state = 'succeeded'") >= count


def _count(rows: Sessions, query: str, **values: Any) -> int:
    with rows.begin() as session:
        return int(session.execute(text(query), values).scalar_one())


def _until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not holds():
        assert time.monotonic() < deadline, "the service takes too long"
        time.sleep(LOOK_SECONDS)


def _quantile(name: str, seconds: list[float], percent: int, *, goal: float) -> Figure:
    value = statistics.quantiles(seconds, n=100, method="inclusive")[percent - 1]
    return Figure(name, value, "s", min(seconds), max(seconds), len(seconds), goal, "<=")
