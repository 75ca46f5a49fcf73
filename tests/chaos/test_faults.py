"""Every fault in its quick dose: nothing is lost, nothing is doubled."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chaos.campaign import Archive, Fault, Worlds, given, real, together
from tests.chaos.catalogue import FAULTS

SEED = 2026


def _case(fault: Fault) -> object:
    """The fault as a parameter; one that this machine can't give is skipped, and says why."""
    missing = "" if fault.missing is None else fault.missing()
    return pytest.param(fault, id=fault.name, marks=pytest.mark.skipif(bool(missing), reason=missing or "nothing"))


@pytest.fixture(scope="module")
def worlds() -> Iterator[Worlds]:
    """Worlds that faults with equal needs share."""
    with real() as made:
        yield made


@pytest.mark.timeout(400)
@pytest.mark.parametrize("fault", [_case(fault) for fault in together(FAULTS) if fault.quick])
def test_a_quick_dose_loses_nothing_and_doubles_nothing(fault: Fault, worlds: Worlds, tmp_path: Path) -> None:
    row = given(fault, worlds, dose="quick", seed=SEED, archive=Archive(tmp_path), say=print)
    assert (row.lost, row.doubled, row.reasons) == (0, 0, ())
    assert row.injected == row.wanted == fault.quick
