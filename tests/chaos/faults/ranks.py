"""kill -9 of the processes of a run on two devices: one of its ranks, and torch's agent over them."""

import random
import time

import psutil

from tests.chaos.campaign import Fault
from tests.chaos.faults.processes import gone
from tests.chaos.reference import MANIFOLD
from tests.chaos.world import Changes, Missed, World
from tests.conftest import make_spec

PAIR = make_spec(mixing=MANIFOLD, training={"epochs": 40, "devices": 2, "batch_size": 50})
"""Some seconds of training on two devices."""

_LOSSES = 3  # a run that is hit more often would end before, or fail


def kill_rank(world: World, chance: random.Random) -> float:
    """One of two ranks dies in mid-epoch."""
    run, attempt = _trained(world, chance)
    agent = world.trainer(run)
    ranks = [child for child in agent.children() if "RANK" in child.environ()]
    if len(ranks) < 2:
        raise Missed(f"the ranks of run {run} ended before they were hit")
    return _killed(world, run, attempt=attempt, victim=chance.choice(ranks), agent=agent)


def kill_agent(world: World, chance: random.Random) -> float:
    """The agent over two ranks dies in mid-epoch."""
    run, attempt = _trained(world, chance)
    agent = world.trainer(run)
    return _killed(world, run, attempt=attempt, victim=agent, agent=agent)


def _trained(world: World, chance: random.Random) -> tuple[str, int]:
    """A run on two devices amid its epochs: the one that was hit before, as its ranks take seconds to come up."""
    query = (
        "SELECT id FROM runs WHERE devices = 2 AND losses BETWEEN 1 AND :most AND state IN ('queued', 'running') "
        "ORDER BY id DESC LIMIT 1"
    )
    for row in world.ask(query, most=_LOSSES):
        attempt = world.in_mid_run(str(row.id))
        if attempt:
            time.sleep(chance.uniform(0, 0.3))
            return str(row.id), attempt
    return world.trained(PAIR, seed=0)


def _killed(world: World, run: str, *, attempt: int, victim: psutil.Process, agent: psutil.Process) -> float:
    """The seconds from the victim's end until another attempt trains the run; of this one nobody may be left.

    Raises: TooSlow
    """
    family = [agent, *agent.children(recursive=True)]
    struck_at = time.monotonic()
    victim.kill()
    gone(world, family)
    world.recovered(run, after=attempt)
    return time.monotonic() - struck_at


SLOTS: Changes = {"slots": 4}

FAULTS = (
    Fault("rank", "kill -9 of one of two ranks in mid-epoch", kill_rank, 1, 20, changes=SLOTS, workers=1),
    Fault("agent", "kill -9 of torch's agent over two ranks in mid-epoch", kill_agent, 1, 20, changes=SLOTS, workers=1),
)
