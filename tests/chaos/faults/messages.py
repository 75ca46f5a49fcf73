"""Doorbells that ring again and again: a message is a hint, and ten hints are one."""

import random
import time
from uuid import UUID

from mmix import broker
from tests.chaos.campaign import Fault
from tests.chaos.faults.processes import serve_nurseries
from tests.chaos.faults.ranks import SLOTS
from tests.chaos.reference import TINY
from tests.chaos.world import World

_BATCH = 20
_MORE = 9
_SPREAD_SECONDS = 2.0  # the last of them come after the runs have ended


def duplicate(world: World, chance: random.Random) -> float:
    """A batch of runs, each of whose doorbells rings nine more times: before, during and after its attempt."""
    runs = world.submit(TINY, seeds=range(_BATCH), attempts=1)
    posted_at = time.monotonic()
    bells = sorted((posted_at + chance.uniform(0, _SPREAD_SECONDS), run) for run in runs * _MORE)

    def rung_and_ended() -> bool:
        while bells and bells[0][0] < time.monotonic():
            ring(world, bells.pop(0)[1])
        return not bells and _ended(world, runs)

    world.until(rung_and_ended, what="the end of all runs", seconds=world.patience_seconds)
    return time.monotonic() - posted_at - _SPREAD_SECONDS


def ring(world: World, run_id: str) -> None:
    """A doorbell for a run on one device of any kind."""
    world.broker.send_task(broker.CONDUCT, (run_id,), queue=broker.queue_name("any", devices=1), retry=False)


def _ended(world: World, runs: list[str]) -> bool:
    query = "SELECT count(*) AS n FROM runs WHERE id = ANY(:ids) AND finished_at IS NULL"
    return bool(world.ask(query, ids=[UUID(run) for run in runs])[0].n == 0)


FAULTS = (
    Fault(
        "duplicates",
        "a run whose doorbell rings ten times",
        duplicate,
        quick=_BATCH,
        full=1000,
        each=_BATCH,
        changes=SLOTS,
        prepare=serve_nurseries,
        workers=1,
    ),
)
