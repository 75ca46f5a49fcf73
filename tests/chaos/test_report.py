"""The report says what was given, what wasn't, and what went wrong."""

from dataclasses import replace

from tests.chaos import report
from tests.chaos.campaign import Fault, Row
from tests.chaos.world import World

_ROW = Row("freeze", "full", 7, 20, 20, 0, 0, 4.25, machine="2 CPU cores", date="2026-11-20 16:00 UTC", runs=21)


def _strike(_: World, __: object) -> float:
    return 0.0


FREEZE = Fault("freeze", "a process stands still", _strike, quick=1, full=20)
CLOCK = Fault("clock", "a clock is off", _strike, quick=0, full=1)


def test_a_dose_is_a_row_with_its_date_and_its_seed() -> None:
    told = report.text([(FREEZE, _ROW)])
    assert "| freeze | a process stands still | 20 | 21 | 0 | 0 | 4.2 | 2026-11-20 16:00 UTC, 7 |" in told
    assert "nothing was lost and nothing was doubled" in told


def test_doses_that_were_not_given_are_named() -> None:
    told = report.text([(FREEZE, replace(_ROW, injected=12)), (CLOCK, None)])
    assert "- Of **freeze** 12 of 20 were given." in told
    assert "- Not given yet: clock." in told


def test_a_fault_that_this_machine_cannot_give_is_told_with_its_reason() -> None:
    told = report.text([(CLOCK, Row("clock", "full", 7, 0, 1, 0, 0, 0.0, skipped="as libfaketime is not here"))])
    assert "- **clock** was skipped, as libfaketime is not here." in told


def test_what_was_lost_is_told_in_words() -> None:
    told = report.text([(FREEZE, replace(_ROW, lost=1, reasons=("run 1 is queued",)))])
    assert "nothing was lost" not in told
    assert "- **freeze**: run 1 is queued" in told
