"""Without one of its protections the queue loses runs or doubles them, and the harness says so."""

import random

import pytest

from tests.chaos.campaign import Fault, Row, blow
from tests.chaos.faults.freezes import freeze_supervisor
from tests.chaos.faults.messages import duplicate
from tests.chaos.faults.processes import kill_supervisor
from tests.chaos.world import World, world

pytestmark = pytest.mark.timeout(300)

CHANCE = random.Random(1)
LOST = Fault("supervisor", "", kill_supervisor, quick=1, full=1)
DOUBLED = Fault("duplicates", "", duplicate, quick=1, full=1)


def _struck(fault: Fault, made: World) -> Row:
    return blow(fault, made, Row(fault.name, "quick", 1, 0, 1, 0, 0, 0.0))


def _doubled(made: World) -> int:
    """What the ledger tells as soon as it tells of any double."""
    found: int = made.until(lambda: made.ledger.settle(made.ask).doubled, what="a double", seconds=60)
    return found


def test_without_the_fence_a_frozen_supervisor_takes_its_run_from_the_next_attempt() -> None:
    with world(dispatchers=1, sabotage="fence") as made:
        freeze_supervisor(made, CHANCE)
        assert _doubled(made) > 0


def test_without_the_reaper_the_run_of_a_dead_supervisor_is_lost() -> None:
    with world(dispatchers=1, workers=1, sabotage="reaper") as made:
        row = _struck(LOST, made)
    assert (row.injected, row.lost) == (1, 1)
    assert row.reasons[0].startswith("another attempt at run")


def test_where_any_run_can_be_claimed_doorbells_double_them() -> None:
    with world({"slots": 2}, dispatchers=1, workers=1, sabotage="claim") as made:
        _struck(DOUBLED, made)
        assert _doubled(made) > 0
