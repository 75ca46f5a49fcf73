"""Clocks that are two hours off: time is PostgreSQL's, so a wrong clock must change nothing but its own log.

The clocks are libfaketime's, in processes of our own beside those of the household.
"""

import os
import random
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from uuid import UUID

from mmix.cli.household import environment_of
from mmix.client import Client
from mmix.parentage import bound_command
from tests.chaos.campaign import Fault
from tests.chaos.faults.processes import serve_nurseries
from tests.chaos.reference import LONGEST, MIDDLING, SHORT
from tests.chaos.world import Broken, World

_HOURS = 2
_OFF_SECONDS = 3600.0  # whatever a clock that is two hours off says is further off than this
_BESIDE = 4
_STOP_SECONDS = 10.0


def wrong_worker(hours: int, world: World, _: random.Random) -> float:
    """A worker whose clock is off trains runs beside one whose clock is right, and dies amid one.

    Raises: TooSlow
    """
    with _process(world, "-m", "worker.main", hours=hours) as wrong:
        world.until(lambda: _works(world, wrong.pid), what="a worker with a wrong clock")
        run, attempt = _held_by(world, wrong.pid)
        serve_nurseries(world)
        world.submit(SHORT, seeds=range(_BESIDE))
        struck_at = time.monotonic()
        wrong.kill()
        world.recovered(run, after=attempt)
        seconds = time.monotonic() - struck_at
        world.settle()
    _only_right_times(world)
    return seconds


def wrong_services(hours: int, world: World, chance: random.Random) -> float:
    """An API whose clock is off accepts runs, a dispatcher whose clock is off leads, and a worker dies.

    Raises: TooSlow
    """
    port = _free_port()
    uvicorn = ("-m", "uvicorn", "--factory", "api.main:build", "--host", "127.0.0.1", "--port", str(port))
    with (
        _process(world, *uvicorn, hours=hours),
        _process(world, "-m", "worker.dispatcher", hours=hours),
        Client(f"http://127.0.0.1:{port}") as client,
    ):
        elsewhere = replace(world, client=client)
        world.until(client.ready, what="an API with a wrong clock")
        _dethrone(world)
        run, attempt = elsewhere.trained(MIDDLING, seed=chance.randrange(2))
        elsewhere.submit(SHORT, seeds=range(_BESIDE))
        struck_at = time.monotonic()
        world.worker_of(run).kill()
        world.recovered(run, after=attempt)
        seconds = time.monotonic() - struck_at
        world.settle()
    _only_right_times(world)
    return seconds


@contextmanager
def _process(world: World, *arguments: str, hours: int) -> Iterator[subprocess.Popen[bytes]]:
    """Python with these arguments, the world's settings and a clock that is so many hours ahead; ended at the end.

    Raises: Broken where its clock is right.
    """
    environment = {**os.environ, **environment_of(world.settings), **_disguise(hours)}
    probe = [sys.executable, "-c", "import time; print(time.time())"]
    told = float(subprocess.run(probe, env=environment, check=True, capture_output=True).stdout)
    if abs(told - time.time() - hours * 3600) > _OFF_SECONDS / 2:
        raise Broken(f"libfaketime does not work: a clock is {told - time.time():.0f} s ahead")
    with (world.house.logs / "wrong-clock.log").open("ab") as log:
        made = subprocess.Popen(
            bound_command(sys.executable, *arguments),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            env=environment,
        )
    try:
        yield made
    finally:
        made.terminate()
        with suppress(subprocess.TimeoutExpired):
            made.wait(_STOP_SECONDS)
        made.kill()
        made.wait()
        for left in Path("/dev/shm").glob(f"*faketime_*_{made.pid}"):
            left.unlink()  # the library's own, where its process was killed


def _disguise(hours: int) -> dict[str, str]:
    return {"LD_PRELOAD": str(_library()), "FAKETIME": f"{hours:+d}h", "FAKETIME_DONT_FAKE_MONOTONIC": "1"}


def _library() -> Path | None:
    return next(iter(sorted(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))), None)


def lacking() -> str:
    """What this machine lacks for a wrong clock, or nothing."""
    return "" if _library() else "as libfaketime is not here: apt-get install libfaketime"


def _works(world: World, pid: int) -> bool:
    return bool(world.ask("SELECT id FROM workers WHERE pid = :pid", pid=pid))


def _held_by(world: World, pid: int) -> tuple[str, int]:
    """A run that this worker has trained for longer than a lease: nobody took it away.

    Raises: TooSlow
    """
    query = (
        "SELECT attempt FROM runs JOIN workers ON worker_id = workers.id "
        "JOIN attempts ON run_id = runs.id AND n = attempt WHERE runs.id = :id AND workers.pid = :pid "
        "AND last_epoch >= first_epoch AND lease_until > attempts.started_at + make_interval(secs => :seconds)"
    )
    for worker in world.workers():
        worker.kill()  # until they are back, this one is alone
    (run,) = world.submit(LONGEST, seeds=[0], exact=True)
    seconds = 2 * world.settings.lease_seconds  # as a lease is granted for that long after a renewal
    what = "a run that a worker with a wrong clock has for longer than a lease"
    (row,) = world.until(lambda: world.ask(query, id=UUID(run), pid=pid, seconds=seconds), what=what)
    return run, int(row.attempt)


def _dethrone(world: World) -> None:
    """Ends the household's dispatchers, so that the one leads that stands by: it is older than those that come.

    Raises: TooSlow
    """
    connected = (
        "SELECT count(*) AS n FROM pg_stat_activity "
        "WHERE pid <> pg_backend_pid() AND query LIKE '%pg_try_advisory_lock%'"
    )
    leads = (
        "SELECT 1 FROM pg_locks JOIN pg_stat_activity USING (pid) "
        "WHERE locktype = 'advisory' AND granted AND backend_start < :before"
    )
    everybody = len(world.dispatchers()) + 1
    world.until(lambda: world.ask(connected)[0].n == everybody, what="a dispatcher with a wrong clock that stands by")
    before = world.ask("SELECT now() AS now")[0].now
    for dispatcher in world.dispatchers():
        dispatcher.kill()
    world.until(lambda: world.ask(leads, before=before), what="the lead of a dispatcher with a wrong clock")


def _only_right_times(world: World) -> None:
    """Sees that no point in time in the database is somebody's own.

    Raises: Broken where one is.
    """
    columns = [
        *(("runs", name) for name in ("created_at", "started_at", "finished_at")),
        *(("attempts", name) for name in ("started_at", "ended_at")),
        *(("experiments", "created_at"), ("checkpoints", "committed_at"), ("log_lines", "at"), ("audit", "at")),
        ("workers", "last_seen"),
    ]
    for table, name in columns:
        query = f"SELECT count(*) AS n FROM {table} WHERE abs(extract(epoch FROM now() - {name})) > :off"
        wrong = world.ask(query, off=_OFF_SECONDS)[0].n
        if wrong:
            raise Broken(f"{wrong} times in {table}.{name} are of a wrong clock")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


FAULTS = tuple(
    Fault(f"clock-{whose}-{way}", told, partial(strike, hours), quick=0, full=1, missing=lacking)
    for whose, told, strike in (
        ("worker", "a worker whose clock is two hours off, and dies", wrong_worker),
        ("services", "API and dispatcher with clocks two hours off, and a worker dies", wrong_services),
    )
    for way, hours in (("ahead", _HOURS), ("behind", -_HOURS))
)
