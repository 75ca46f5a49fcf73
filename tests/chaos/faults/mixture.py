"""Everything at once: blows of all kinds at random moments, none of which waits for what came before it."""

import random
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from uuid import UUID

import psutil

from tests.chaos import reference
from tests.chaos.campaign import Fault
from tests.chaos.faults import checkpoints, messages, services
from tests.chaos.faults.processes import serve_nurseries
from tests.chaos.reference import LONG, MIDDLING
from tests.chaos.world import LEASE_SECONDS, PATIENCE_SECONDS, Missed, World

_BLOWS = 3
_SPELL_SECONDS = 21.6  # 167 spells of three blows and at least three runs: an hour, 501 blows, more than 500 runs
_STRUCK_SECONDS = 12.0  # of a spell: in the rest everything recovers
_LOOK_SECONDS = 0.2
_RINGS = 10

_RUNS = ((MIDDLING, 0), (MIDDLING, 1), (LONG, 0), (LONG, 0))

Progress = dict[UUID, tuple[int, int]]
"""The attempt at each run that is under way, and the last epoch that is known."""

_UNDER_WAY = """
    SELECT runs.id, attempt, coalesce(last_epoch, 0) AS epoch, first_epoch FROM runs
    LEFT JOIN attempts ON run_id = runs.id AND n = attempt WHERE finished_at IS NULL
"""


@dataclass(frozen=True)
class Blow:
    """When it was struck, and the runs that were trained then."""

    struck_at: float
    trained: Progress


@dataclass
class Spell:
    """Some blows, what they hit, and what is frozen, each with the time of its thaw."""

    world: World
    chance: random.Random
    due: list[float]
    ends_at: float
    open: list[Blow] = field(default_factory=list)
    frozen: list[tuple[float, psutil.Process]] = field(default_factory=list)
    looks_at: float = 0.0
    posted: int = 0
    worst_seconds: float = 0.0

    def over(self) -> bool:
        """Strikes where it is time, keeps runs coming, and says whether all is over and has recovered."""
        self.thaw(time.monotonic())
        while self.due and self.due[0] < time.monotonic():
            self.due.pop(0)
            self._strike()
        if time.monotonic() >= self.looks_at:
            self.looks_at = time.monotonic() + _LOOK_SECONDS
            self._look()
        return not (self.due or self.open or self.frozen) and time.monotonic() > self.ends_at

    def thaw(self, until: float) -> None:
        """Lets go on what was to be frozen until then."""
        for _, process in [each for each in self.frozen if each[0] <= until]:
            with suppress(psutil.NoSuchProcess):
                process.resume()
        self.frozen = [each for each in self.frozen if each[0] > until]

    def _strike(self) -> None:
        trained = {row.id: (row.attempt, row.epoch) for row in self.world.ask(_UNDER_WAY) if row.first_epoch}
        kind = self.chance.choice(sorted(BLOWS))
        struck_at = time.monotonic()
        with suppress(psutil.NoSuchProcess, ProcessLookupError, FileNotFoundError, Missed):
            BLOWS[kind](self)
        self.open.append(Blow(struck_at, trained))

    def _look(self) -> None:
        rows = self.world.ask(_UNDER_WAY)
        if len(rows) < _BLOWS or (self.posted < _BLOWS and not self.due):
            self.posted += 1
            spec, seed = self.chance.choice(_RUNS)
            self.world.submit(spec, seeds=[seed], exact=True)
        now = {row.id: (row.attempt, row.epoch) for row in rows if row.first_epoch}
        unfinished = {row.id for row in rows}
        for blow in [each for each in self.open if _recovered(each.trained, now, unfinished)]:
            self.open.remove(blow)
            self.worst_seconds = max(self.worst_seconds, time.monotonic() - blow.struck_at)

    def victim(self) -> str:
        """A run that is trained now.

        Raises: Missed where there is none.
        """
        rows = [row for row in self.world.ask(_UNDER_WAY) if row.first_epoch]
        if not rows:
            raise Missed("no run is trained now")
        return str(self.chance.choice(rows).id)

    def freeze(self, process: psutil.Process) -> None:
        """Stops a process for less than a lease, or for longer."""
        process.suspend()
        self.frozen.append((time.monotonic() + self.chance.uniform(0.5, 2 * LEASE_SECONDS), process))


def prepare(world: World) -> None:
    """Has all ready that would take its time amid the blows.

    Raises: TooSlow
    """
    serve_nurseries(world)
    for spec, seed in _RUNS:
        reference.of(spec, seed)


def mix(world: World, chance: random.Random) -> float:
    """A spell of blows at random moments; the longest time until all that was trained at one of them went on.

    Raises: TooSlow
    """
    now = time.monotonic()
    due = sorted(now + chance.uniform(0, _STRUCK_SECONDS) for _ in range(_BLOWS))
    spell = Spell(world, chance, due, ends_at=now + _SPELL_SECONDS)
    try:
        world.until(spell.over, what="the recovery from a mix of faults", seconds=_SPELL_SECONDS + PATIENCE_SECONDS)
    finally:
        spell.thaw(float("inf"))
    return spell.worst_seconds


def _recovered(struck: Progress, now: Progress, unfinished: set[UUID]) -> bool:
    """Whether each run that was trained then has ended or gone on."""
    return all(run not in unfinished or now.get(run, (0, 0)) > progress for run, progress in struck.items())


def _kill_worker(spell: Spell) -> None:
    spell.chance.choice(spell.world.workers()).kill()


def _drain(spell: Spell) -> None:
    spell.chance.choice(spell.world.workers()).terminate()


def _kill_supervisor(spell: Spell) -> None:
    spell.world.supervisor_of(spell.victim()).kill()


def _kill_trainer(spell: Spell) -> None:
    spell.world.trainer(spell.victim()).kill()


def _kill_nursery(spell: Spell) -> None:
    worker = spell.chance.choice(spell.world.workers())
    for child in worker.children():
        if "worker.nursery" in child.cmdline():
            child.kill()


def _kill_dispatcher(spell: Spell) -> None:
    spell.chance.choice(spell.world.dispatchers()).kill()


def _kill_api(spell: Spell) -> None:
    psutil.Process(spell.world.house.pids()["api"]).kill()


def _flush(spell: Spell) -> None:
    services.empty_redis(spell.world)


def _lose_redis(spell: Spell) -> None:
    services.lose_redis(spell.world, seconds=spell.chance.uniform(0, services.DOWN_SECONDS))


def _lose_postgresql(spell: Spell) -> None:
    services.lose_postgresql(spell.world)


def _freeze_supervisor(spell: Spell) -> None:
    spell.freeze(spell.world.supervisor_of(spell.victim()))


def _freeze_trainer(spell: Spell) -> None:
    spell.freeze(spell.world.trainer(spell.victim()))


def _spoil_checkpoint(spell: Spell) -> None:
    run = spell.victim()
    kept = checkpoints.registered(spell.world, run)
    spell.world.trainer(run).kill()
    if kept:
        harm = spell.chance.choice((checkpoints.shorten, checkpoints.corrupt))
        harm(kept[0], spell.chance)


def _ring(spell: Spell) -> None:
    for row in spell.world.ask("SELECT id FROM runs ORDER BY id DESC LIMIT 5"):
        for _ in range(_RINGS):
            messages.ring(spell.world, str(row.id))


BLOWS: dict[str, Callable[[Spell], None]] = {
    "worker": _kill_worker,
    "drain": _drain,
    "supervisor": _kill_supervisor,
    "trainer": _kill_trainer,
    "nursery": _kill_nursery,
    "dispatcher": _kill_dispatcher,
    "api": _kill_api,
    "flushall": _flush,
    "redis": _lose_redis,
    "postgres": _lose_postgresql,
    "freeze-supervisor": _freeze_supervisor,
    "freeze-trainer": _freeze_trainer,
    "checkpoint": _spoil_checkpoint,
    "doorbells": _ring,
}

FAULTS = (
    Fault(
        "mix",
        "blows of all these kinds at random moments, three in 22 s for an hour, on top of each other",
        mix,
        quick=_BLOWS,
        full=167 * _BLOWS,
        each=_BLOWS,
        prepare=prepare,
    ),
)
