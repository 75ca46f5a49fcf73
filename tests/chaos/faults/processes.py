"""kill -9, and SIGTERM, of the processes that work on a run."""

import os
import random
import signal
import socket
import time
from uuid import UUID

import psutil

from tests.chaos.campaign import Fault
from tests.chaos.reference import MIDDLING, TINY
from tests.chaos.world import Broken, Missed, World

_ORPHAN_SECONDS = 5.0
_POSTED = 3


def kill_worker(world: World, chance: random.Random) -> float:
    """A worker dies in mid-epoch, with its pool and its trainers."""
    run, attempt = _trained(world, chance)
    victim = world.worker_of(run)
    return _killed(world, run, attempt=attempt, victim=victim, family=victim.children(recursive=True))


def kill_supervisor(world: World, chance: random.Random) -> float:
    """The pool process that supervises a run dies in mid-epoch."""
    run, attempt = _trained(world, chance)
    trainer = world.trainer(run)
    return _killed(world, run, attempt=attempt, victim=world.supervisor_of(run), family=[trainer])


def kill_trainer(world: World, chance: random.Random) -> float:
    """A trainer dies in mid-epoch."""
    run, attempt = _trained(world, chance)
    return _killed(world, run, attempt=attempt, victim=world.trainer(run), family=[])


def kill_nursery(world: World, chance: random.Random) -> float:
    """A nursery dies with the trainer that it forked; later there is another one."""
    serve_nurseries(world)
    run, attempt = _trained(world, chance)
    trainer = world.trainer(run)
    nursery = trainer.parent()
    if nursery is None or not _is_nursery(nursery):
        raise Missed(f"the trainer of run {run} was started cold")
    seconds = _killed(world, run, attempt=attempt, victim=nursery, family=[trainer])
    world.until(lambda: _nurseries_serve(world), what="another nursery")
    return seconds


def kill_dispatcher(world: World, chance: random.Random) -> float:
    """The leading dispatcher dies just after runs were posted; each starts all the same, and once."""
    world.until(lambda: _one_stands_by(world), what="a dispatcher that stands by")
    victim = world.dispatchers()[0]  # whoever was started again stands behind
    runs = [UUID(run) for run in world.submit(TINY, seeds=range(_POSTED), attempts=1)]
    time.sleep(chance.uniform(0, 0.05))
    struck_at = time.monotonic()
    victim.kill()
    query = "SELECT count(*) AS n FROM runs WHERE id = ANY(:ids) AND state = 'queued'"
    world.until(lambda: world.ask(query, ids=runs)[0].n == 0, what="the start of all runs")
    return time.monotonic() - struck_at


def the_eldest_leads(world: World) -> None:
    """Starts the other dispatcher again, whichever led before; nobody is to wait for trainers that start cold."""
    world.until(lambda: _nurseries_serve(world), what="a nursery of each worker")
    world.until(lambda: _one_stands_by(world), what="a dispatcher that stands by")
    _, younger = world.dispatchers()
    younger.kill()
    gone(world, [younger])


def _one_stands_by(world: World) -> bool:
    """Whether both dispatchers have asked for the lead: there is nothing else that they ask on that connection."""
    query = "SELECT count(*) AS n FROM pg_stat_activity WHERE query LIKE 'SELECT pg_try_advisory_lock(%'"
    return world.house.whole() and bool(world.ask(query)[0].n == 2)


def drain(world: World, chance: random.Random) -> float:
    """A worker is told to go; its run goes on elsewhere, and that costs it nothing."""
    run, attempt = _trained(world, chance)
    struck_at = time.monotonic()
    os.kill(world.worker_of(run).pid, signal.SIGTERM)
    world.recovered(run, after=attempt)
    seconds = time.monotonic() - struck_at
    query = "SELECT outcome, losses FROM attempts JOIN runs ON runs.id = run_id WHERE run_id = :id AND n = :n"
    (left,) = world.ask(query, id=UUID(run), n=attempt)
    if (left.outcome, left.losses) not in {("preempted", 0), ("succeeded", 0)}:
        raise Broken(f"attempt {attempt} at run {run} is {left.outcome}, its losses {left.losses}, after a polite end")
    return seconds


def _trained(world: World, chance: random.Random) -> tuple[str, int]:
    run, attempt = world.trained(MIDDLING, seed=chance.randrange(2))
    time.sleep(chance.uniform(0, 0.3))
    return run, attempt


def _killed(world: World, run: str, *, attempt: int, victim: psutil.Process, family: list[psutil.Process]) -> float:
    """The seconds from the victim's end until another attempt trains the run; of its family nobody may be left.

    Raises: TooSlow
    """
    struck_at = time.monotonic()
    try:
        victim.kill()
    except psutil.NoSuchProcess:
        raise Missed(f"process {victim.pid} ended before it was hit") from None
    gone(world, [victim, *family])
    world.recovered(run, after=attempt)
    return time.monotonic() - struck_at


def gone(world: World, family: list[psutil.Process]) -> None:
    """Waits for the end of these processes.

    Raises: TooSlow
    """
    world.until(lambda: not any(map(lives, family)), what="the end of all orphans", seconds=_ORPHAN_SECONDS)


def lives(process: psutil.Process) -> bool:
    """Whether a process does something yet."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def serve_nurseries(world: World) -> None:
    """Waits until trainers start at once.

    Raises: TooSlow
    """
    world.until(lambda: _nurseries_serve(world), what="a nursery of each worker")


def _nurseries_serve(world: World) -> bool:
    """Whether each worker has a nursery that takes calls: before, its trainers start cold."""
    try:
        nurseries = [child for worker in world.workers() for child in worker.children() if _is_nursery(child)]
        return len(nurseries) == len(world.workers()) and all(map(_serves, nurseries))
    except (Missed, psutil.NoSuchProcess):
        return False


def _is_nursery(process: psutil.Process) -> bool:
    return lives(process) and "worker.nursery" in process.cmdline()


def _serves(nursery: psutil.Process) -> bool:
    """Whether the nursery takes calls: it is born long before."""
    with socket.socket(socket.AF_UNIX) as caller:
        return caller.connect_ex(nursery.cmdline()[-1]) == 0


FAULTS = (
    Fault("worker", "kill -9 of a worker in mid-epoch", kill_worker, quick=1, full=50),
    Fault("supervisor", "kill -9 of the pool process that supervises a run, in mid-epoch", kill_supervisor, 1, 20),
    Fault("trainer", "kill -9 of a trainer in mid-epoch", kill_trainer, quick=1, full=20),
    Fault("nursery", "kill -9 of a nursery whose trainer is in mid-epoch", kill_nursery, quick=1, full=20),
    Fault(
        "dispatcher",
        "kill -9 of the leading dispatcher just after runs were posted",
        kill_dispatcher,
        quick=1,
        full=20,
        prepare=the_eldest_leads,
    ),
    Fault("drain", "SIGTERM of a worker with a run in mid-epoch", drain, quick=1, full=20),
)
