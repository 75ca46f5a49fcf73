"""Checkpoints that went bad, and disks that take no more of them."""

import os
import random
import resource
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import psutil

from tests.chaos.campaign import Fault
from tests.chaos.reference import LONG, MIDDLING
from tests.chaos.world import Missed, World

_SAFE_BITS = (0, 1, 2, 3, 4, 6, 7)  # the sixth makes an E of the e in 1e-4, which is the same number
_MOST_BYTES = 1 << 16  # less than a checkpoint of the run


@dataclass(frozen=True)
class Kept:
    """A registered checkpoint."""

    epoch: int
    tensors: Path

    @property
    def document(self) -> Path:
        """What vouches for the tensors."""
        return self.tensors.with_suffix(".json")


def truncate(world: World, chance: random.Random) -> float:
    """The newest checkpoint of a run loses its end while nobody works on the run."""
    return _resumption(world, chance, lambda newest: shorten(newest, chance))


def flip(world: World, chance: random.Random) -> float:
    """One bit of the newest checkpoint of a run flips while nobody works on the run."""
    return _resumption(world, chance, lambda newest: corrupt(newest, chance))


def fill_disk(world: World, chance: random.Random) -> float:
    """A trainer can't write more than some kilobytes to a file, for a while; half of the time it dies meanwhile."""
    run, attempt = world.trained(LONG, seed=0)
    pid = world.trainer(run).pid
    struck_at = time.monotonic()
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (chance.randrange(_MOST_BYTES), resource.RLIM_INFINITY))
    world.until(lambda: _behind(world, run) > 2, what=f"epochs of run {run} without a checkpoint")
    time.sleep(chance.uniform(0, 0.5))
    if chance.random() < 0.5:
        os.kill(pid, signal.SIGKILL)
        world.recovered(run, after=attempt)
    else:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        world.until(lambda: _behind(world, run) <= 1, what=f"a checkpoint of run {run}")
    return time.monotonic() - struck_at


def shorten(newest: Kept, chance: random.Random) -> None:
    """Cuts the file of the tensors off somewhere."""
    os.truncate(newest.tensors, chance.randrange(newest.tensors.stat().st_size))


def corrupt(newest: Kept, chance: random.Random) -> None:
    """Flips a bit of the tensors, or of the document."""
    path = chance.choice((newest.tensors, newest.document))
    content = bytearray(path.read_bytes())
    content[chance.randrange(len(content))] ^= 1 << chance.choice(_SAFE_BITS)
    path.write_bytes(content)


def registered(world: World, run_id: str) -> list[Kept]:
    """The checkpoints of a run, the newest first."""
    query = "SELECT epoch, place FROM checkpoints WHERE run_id = :id ORDER BY attempt DESC, epoch DESC"
    return [Kept(row.epoch, Path(row.place)) for row in world.ask(query, id=UUID(run_id))]


def _resumption(world: World, chance: random.Random, harm: Callable[[Kept], None]) -> float:
    """Kills a trainer and does harm to the newest checkpoint: the run has to go on from the one before.

    Raises: TooSlow, or Missed
    """
    run, attempt = world.trained(MIDDLING, seed=chance.randrange(2))
    with _undispatched(world):
        newest, before = _left_alone(world, run, chance)
        harm(newest)
    struck_at = time.monotonic()
    what = f"run {run} going on from epoch {before.epoch} as the checkpoint of epoch {newest.epoch} is bad"
    world.until(lambda: _first_epoch(world, run, after=attempt) == before.epoch + 1, what=what)
    return time.monotonic() - struck_at


def _left_alone(world: World, run: str, chance: random.Random) -> list[Kept]:
    """The two checkpoints of a run whose trainer is killed now.

    Raises: TooSlow, or Missed where it ended before.
    """
    world.until(lambda: len(registered(world, run)) > 1 or _ended(world, run), what=f"two checkpoints of run {run}")
    time.sleep(chance.uniform(0, 0.3))
    with suppress(psutil.NoSuchProcess):
        world.trainer(run).kill()
    world.until(lambda: world.state(run) == "queued" or _ended(world, run), what=f"the end of an attempt at run {run}")
    if _ended(world, run):
        raise Missed(f"run {run} ended before it was hit")
    return registered(world, run)


@contextmanager
def _undispatched(world: World) -> Iterator[None]:
    """All dispatchers stand still: nobody claims what is given back."""
    pids = [pid for name, pid in world.house.pids().items() if name.startswith("dispatcher")]
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


def _ended(world: World, run: str) -> bool:
    query = "SELECT finished_at FROM runs WHERE id = :id"
    return world.ask(query, id=UUID(run))[0].finished_at is not None


def _first_epoch(world: World, run: str, *, after: int) -> int:
    """The epoch with which the first later attempt began that began at all; 0 where there is none yet."""
    query = "SELECT first_epoch FROM attempts WHERE run_id = :id AND n > :n AND first_epoch > 0 ORDER BY n LIMIT 1"
    rows = world.ask(query, id=UUID(run), n=after)
    return int(rows[0].first_epoch) if rows else 0


def _behind(world: World, run: str) -> int:
    """How many epochs were trained since the newest checkpoint; 0 once the run has ended."""
    query = (
        "SELECT last_epoch - (SELECT coalesce(max(epoch), 0) FROM checkpoints WHERE run_id = runs.id) AS behind "
        "FROM runs JOIN attempts ON run_id = runs.id AND n = attempt WHERE runs.id = :id AND finished_at IS NULL"
    )
    rows = world.ask(query, id=UUID(run))
    return int(rows[0].behind or 0) if rows else 0


FAULTS = (
    Fault("truncated", "the newest checkpoint cut off between two attempts", truncate, quick=1, full=10),
    Fault("flipped", "a bit of the newest checkpoint flipped between two attempts", flip, quick=1, full=10),
    Fault("disk-full", "a disk that takes no more checkpoints (RLIMIT_FSIZE)", fill_disk, quick=1, full=10),
)
