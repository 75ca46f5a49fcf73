"""Cancels at any moment: of runs that wait, start, train, end and have ended."""

import random
import time
from uuid import UUID

from tests.chaos.campaign import Fault
from tests.chaos.faults.processes import serve_nurseries
from tests.chaos.faults.ranks import SLOTS
from tests.chaos.reference import ENDLESS, TINY
from tests.chaos.world import Broken, World

_BATCH = 20
_GROUPS = 4
_SPREAD_SECONDS = 3.0
_ALLOWED_SECONDS = 45.0


def cancel(world: World, chance: random.Random) -> float:
    """A batch of runs, most of them over in a moment and some without an end, each cancelled at a random time.

    Raises: TooSlow, or Broken
    """
    runs = _mixed(world)
    posted_at = time.monotonic()
    due = sorted((posted_at + chance.uniform(0, _SPREAD_SECONDS), run) for run in runs)
    asked: dict[str, float] = {}
    ended: dict[str, float] = {}

    def all_cancelled_and_ended() -> bool:
        while due and due[0][0] < time.monotonic():
            run = due.pop(0)[1]
            asked[run] = time.monotonic()
            world.client.cancel_run(run)
        for run in _over(world, [run for run in asked if run not in ended]):
            ended[run] = time.monotonic()
        return len(ended) == len(runs)

    world.until(all_cancelled_and_ended, what="the end of all cancelled runs")
    worst = max(ended[run] - asked[run] for run in runs)
    if worst > _ALLOWED_SECONDS:
        raise Broken(f"a cancelled run ended after {worst:.1f} s only")
    return worst


def _mixed(world: World) -> list[str]:
    """New runs, the endless among the short ones, so that both wait, train and end at once."""
    ends = ("cancelled", "succeeded")
    small = _BATCH // _GROUPS - 1
    made = [
        (world.submit(TINY, seeds=range(small), ends=ends), world.submit(ENDLESS, seeds=[0], ends=ends))
        for _ in range(_GROUPS)
    ]
    return [run for tiny, endless in made for run in (*tiny, *endless)]


def _over(world: World, runs: list[str]) -> list[str]:
    query = "SELECT id FROM runs WHERE id = ANY(:ids) AND finished_at IS NOT NULL"
    return [str(row.id) for row in world.ask(query, ids=[UUID(run) for run in runs])]


FAULTS = (
    Fault(
        "cancel",
        "a cancel at a random moment of a run's life",
        cancel,
        quick=_BATCH,
        full=1000,
        each=_BATCH,
        changes=SLOTS,
        prepare=serve_nurseries,
        workers=1,
    ),
)
