"""SIGSTOP beyond the lease, then SIGCONT: of a supervisor, of its trainer, of both."""

import os
import random
import signal
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from uuid import UUID

import psutil

from mmix.client import TERMINAL
from tests.chaos.campaign import Fault
from tests.chaos.faults.processes import gone
from tests.chaos.reference import MIDDLING
from tests.chaos.world import LEASE_SECONDS, Broken, World

_BEYOND_SECONDS = LEASE_SECONDS + 2.0


def freeze(world: World, chance: random.Random) -> float:
    """The three kinds of freezes, by turns."""
    kinds: tuple[Callable[[World, random.Random], float], ...] = (freeze_supervisor, freeze_both, freeze_trainer)
    return kinds[len(world.ledger.runs) % len(kinds)](world, chance)


def freeze_supervisor(world: World, chance: random.Random) -> float:
    """A supervisor stands still until another attempt trains the run: its trainer must have ended by itself before."""
    run, attempt = _trained(world, chance)
    supervisor, trainer = world.supervisor_of(run), world.trainer(run)
    struck_at = time.monotonic()
    _send([supervisor], signal.SIGSTOP)
    try:
        world.recovered(run, after=attempt)
        seconds = time.monotonic() - struck_at
        if trainer.is_running() and trainer.status() not in {psutil.STATUS_ZOMBIE, psutil.STATUS_STOPPED}:
            raise Broken(f"the trainer of attempt {attempt} at run {run} lived on when another attempt began")
    finally:
        _send([supervisor], signal.SIGCONT)
    return seconds


def freeze_both(world: World, chance: random.Random) -> float:
    """Supervisor and trainer stand still until another attempt trains the run, and wake: they may write nothing."""
    run, attempt = _trained(world, chance)
    frozen = [world.supervisor_of(run), world.trainer(run)]
    struck_at = time.monotonic()
    _send(frozen, signal.SIGSTOP)
    try:
        world.recovered(run, after=attempt)
        seconds = time.monotonic() - struck_at
        written = _written(world, run, attempt)
    finally:
        _send(frozen, signal.SIGCONT)
    gone(world, frozen[1:])
    time.sleep(1.0)  # in which its supervisor flushes
    if _written(world, run, attempt) != written:
        raise Broken(f"attempt {attempt} at run {run} went on writing though another one trains it")
    return seconds


def freeze_trainer(world: World, chance: random.Random) -> float:
    """A trainer stands still while its supervisor renews; then it goes on, or ends and another attempt does."""
    run, _ = _trained(world, chance)
    trainer = world.trainer(run)
    _send([trainer], signal.SIGSTOP)
    try:
        time.sleep(_BEYOND_SECONDS)
        epoch = _epoch(world, run)
    finally:
        _send([trainer], signal.SIGCONT)
    woken_at = time.monotonic()
    world.until(
        lambda: _epoch(world, run) > epoch or world.state(run) in TERMINAL,
        what=f"another epoch of run {run}",
        seconds=world.patience_seconds,
    )
    return time.monotonic() - woken_at


def _trained(world: World, chance: random.Random) -> tuple[str, int]:
    run, attempt = world.trained(MIDDLING, seed=chance.randrange(2))
    time.sleep(chance.uniform(0, 0.3))
    return run, attempt


def _send(processes: Iterable[psutil.Process], wanted: signal.Signals) -> None:
    for process in processes:
        with suppress(ProcessLookupError):
            os.kill(process.pid, wanted)


def _written(world: World, run: str, attempt: int) -> object:
    """What an attempt has left in the database: steps, points of curves, lines, checkpoints."""
    query = """
        SELECT last_step, last_epoch, outcome,
            (SELECT count(*) FROM curves WHERE curves.run_id = attempts.run_id AND attempt = n) AS points,
            (SELECT count(*) FROM log_lines WHERE log_lines.run_id = attempts.run_id AND attempt = attempts.n) AS lines
        FROM attempts WHERE run_id = :id AND n = :n
    """
    return [tuple(row) for row in world.ask(query, id=UUID(run), n=attempt)]


def _epoch(world: World, run: str) -> int:
    return int(world.ask("SELECT epoch FROM runs WHERE id = :id", id=UUID(run))[0].epoch)


FAULTS = (Fault("freeze", "SIGSTOP beyond the lease of a supervisor, of both, of a trainer, by turns", freeze, 2, 20),)
