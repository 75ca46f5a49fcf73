"""A campaign: each fault in its dose, one after another, counted, and kept on disk so that it can be resumed."""

import json
import os
import platform
import random
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

import psutil

from tests.chaos.sabotage import Sabotage
from tests.chaos.world import Broken, Changes, Missed, World, world

Dose = Literal["quick", "full"]
Strike = Callable[[World, random.Random], float]
"""Harms the world once; the seconds from then until what was hit worked again."""

Say = Callable[[str], None]


@dataclass(frozen=True)
class Fault:
    """One way to do harm, and how often; all blows of a fault hit one world with these changes to its settings.

    told: what one injection is, in a few words, for the report. prepare: what the world needs before. each: how many
    injections one strike makes. missing: what this machine lacks for it, or nothing.
    """

    name: str
    told: str
    strike: Strike
    quick: int
    full: int
    changes: Changes | None = None
    prepare: Callable[[World], None] | None = None
    dispatchers: int = 2
    workers: int = 2
    each: int = 1
    missing: Callable[[], str] | None = None

    @property
    def needs(self) -> tuple[Changes, int, int]:
        """What the world must be like."""
        return self.changes or {}, self.dispatchers, self.workers

    def count(self, dose: Dose) -> int:
        """How often it strikes."""
        return self.quick if dose == "quick" else self.full


@dataclass(frozen=True)
class Row:
    """What a fault did."""

    fault: str
    dose: Dose
    seed: int
    injected: int
    wanted: int
    lost: int
    doubled: int
    worst_seconds: float
    reasons: tuple[str, ...] = ()
    took_seconds: float = 0.0
    date: str = ""
    machine: str = ""
    skipped: str = ""
    runs: int = 0

    @property
    def done(self) -> bool:
        """Whether the whole dose was given."""
        return self.injected >= self.wanted

    def __str__(self) -> str:
        if self.skipped:
            return f"{self.fault}: skipped, {self.skipped}"
        return (
            f"{self.fault}: injected {self.injected}, lost {self.lost}, doubled {self.doubled}, "
            f"worst recovery {self.worst_seconds:.1f} s"
        )


@dataclass(frozen=True)
class Archive:
    """The rows of a campaign, a file each: what was done already is not done again."""

    folder: Path

    def read(self, fault: Fault, *, dose: Dose, seed: int) -> Row:
        """What was done of this fault so far; an empty row where nothing was, or with another seed."""
        found = self.kept(fault, dose=dose)
        if found is None or found.seed != seed:
            return Row(fault.name, dose, seed, 0, fault.count(dose), 0, 0, 0.0)
        return found

    def kept(self, fault: Fault, *, dose: Dose) -> Row | None:
        """What was done of this fault so far, with whatever seed; None where nothing was, or it can't be read."""
        try:
            found = Row(**{**json.loads(self._path(fault.name, dose).read_text()), "wanted": fault.count(dose)})
        except (OSError, ValueError, TypeError):
            return None
        return replace(found, reasons=tuple(found.reasons))

    def write(self, row: Row) -> None:
        """Keeps a row."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self._path(row.fault, row.dose).write_text(json.dumps(asdict(row), indent=1) + "\n")

    def _path(self, fault: str, dose: Dose) -> Path:
        return self.folder / f"{dose}-{fault}.json"


class Worlds:
    """One world at a time: a new one where the present one isn't what a fault needs."""

    def __init__(self, opened: Callable[[Fault], AbstractContextManager[World]]) -> None:
        self._opened = opened
        self._stack = ExitStack()
        self._fault: Fault | None = None
        self._world: World | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None) -> None:
        self.close()

    def fit_for(self, fault: Fault) -> World:
        """A world where everything works, with a ledger that has nothing to tell.

        Raises: TooSlow
        """
        if self._world is None or self._fault is None or self._fault.needs != fault.needs:
            self.close()
            self._world = self._stack.enter_context(self._opened(fault))
            self._fault = fault
        else:
            self._world.heal()
        return self._world

    def close(self) -> None:
        """Ends the present world."""
        self._world = None
        self._stack.close()


def real(sabotage: Sabotage | None = None) -> Worlds:
    """Worlds of real processes, which go without this protection."""

    def opened(fault: Fault) -> AbstractContextManager[World]:
        return world(fault.changes, dispatchers=fault.dispatchers, workers=fault.workers, sabotage=sabotage)

    return Worlds(opened)


def campaign(
    faults: Sequence[Fault], *, dose: Dose, seed: int, archive: Archive, say: Say, worlds: Worlds | None = None
) -> list[Row]:
    """Gives each fault what is left of its dose; the rows.

    A full dose of a fault has a world to itself, quick ones share a world where they need the same.
    """
    rows = {}
    with worlds or real() as made:
        for fault in faults if dose == "full" else together(faults):
            rows[fault.name] = given(fault, made, dose=dose, seed=seed, archive=archive, say=say)
            if dose == "full":
                made.close()
    return [rows[fault.name] for fault in faults]


def together(faults: Sequence[Fault]) -> list[Fault]:
    """The faults, those beside each other that need the same world."""
    needs = [fault.needs for fault in faults]
    return sorted(faults, key=lambda fault: needs.index(fault.needs))


def given(fault: Fault, worlds: Worlds, *, dose: Dose, seed: int, archive: Archive, say: Say) -> Row:
    """The row of a fault, once what was left of its dose is given."""
    row = archive.read(fault, dose=dose, seed=seed)
    missing = "" if fault.missing is None else fault.missing()
    row = replace(row, skipped=missing)
    if missing:
        archive.write(row)
    elif not row.done:
        row = _given(fault, worlds, row, archive, say)
    say(str(row))
    for reason in row.reasons:
        say(f"  {reason}")
    return row


def _given(fault: Fault, worlds: Worlds, row: Row, archive: Archive, say: Say) -> Row:
    began = time.monotonic()
    made = worlds.fit_for(fault)
    if fault.prepare is not None:
        fault.prepare(made)
    struck = row
    try:
        while not struck.done:
            struck = blow(fault, made, struck)
            say(f"  {fault.name} {struck.injected}/{struck.wanted}, worst {struck.worst_seconds:.1f} s")
    finally:  # also where it is interrupted: the same command goes on from there
        finished = settled(made, struck, took_seconds=row.took_seconds + time.monotonic() - began)
        archive.write(finished)
    return finished


def blow(fault: Fault, made: World, row: Row) -> Row:
    """One strike; a promise that was broken is a loss, and a strike that hit nothing doesn't count."""
    # A generator of its own for each blow: a resumed campaign strikes as an uninterrupted one.
    chance = random.Random(f"{row.seed} {fault.name} {row.injected}")
    try:
        seconds = fault.strike(made, chance)
    except Missed:
        return row
    except Broken as error:
        return replace(row, injected=row.injected + fault.each, lost=row.lost + 1, reasons=(*row.reasons, str(error)))
    return replace(row, injected=row.injected + fault.each, worst_seconds=max(row.worst_seconds, seconds))


def settled(made: World, row: Row, *, took_seconds: float) -> Row:
    """The row with the world's books balanced, once all runs have ended."""
    made.settle()
    account = made.ledger.settle(made.ask)
    return replace(
        row,
        lost=row.lost + account.lost,
        doubled=row.doubled + account.doubled,
        reasons=(*row.reasons, *account.reasons),
        took_seconds=took_seconds,
        runs=row.runs + len(made.ledger.runs),
        date=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        machine=machine(),
    )


def machine() -> str:
    """This machine, in a few words and without its name."""
    memory = psutil.virtual_memory().total / 2**30
    return f"{os.cpu_count()} CPU cores ({platform.machine()}), {memory:.0f} GiB of memory, {platform.system()}"


def healthy(rows: Sequence[Row]) -> bool:
    """Whether nothing was lost or doubled, and every dose was given that this machine can give."""
    return all(row.skipped or (row.done and row.lost == 0 and row.doubled == 0) for row in rows)
