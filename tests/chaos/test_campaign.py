"""A campaign can be interrupted and gone on with, and counts what it should."""

import random
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from sqlalchemy import text

from mmix import broker
from mmix.cli.household import Household
from mmix.client import Client
from mmix.settings import Settings
from mmix.store import endings, experiments
from mmix.store.experiments import Wish
from mmix.store.sessions import Sessions
from tests.chaos.campaign import Archive, Fault, Row, Worlds, campaign, healthy
from tests.chaos.ledger import Expected
from tests.chaos.world import Broken, Missed, World
from tests.conftest import make_spec, new_lease


@pytest.fixture
def still(settings: Settings, sessions: Sessions) -> Iterator[World]:
    """A world without processes: a database alone."""
    named = settings.model_copy(update={"redis_url": "redis://nowhere"})
    with ExitStack() as servers:
        client = servers.enter_context(Client("http://127.0.0.1:1"))
        house = Household(named, port=1)
        yield World(named, house, client, sessions, servers, broker.application(named), patience_seconds=0.01)


@dataclass
class Blows:
    """A strike that does no harm and notes what chance gave it; at some blows it does something else."""

    drawn: list[float] = field(default_factory=list)
    instead: dict[int, BaseException] = field(default_factory=dict)

    def __call__(self, _: World, chance: random.Random) -> float:
        error = self.instead.pop(len(self.drawn), None)
        if error is not None:
            raise error
        self.drawn.append(chance.random())
        return self.drawn[-1]


def _fault(strike: Callable[[World, random.Random], float], name: str = "breeze") -> Fault:
    return Fault(name, "nothing at all", strike, quick=4, full=40)


def _given(fault: Fault, still: World, folder: Path, *, seed: int = 1) -> Row:
    worlds = Worlds(lambda _: nullcontext(still))
    (row,) = campaign([fault], dose="quick", seed=seed, archive=Archive(folder), say=print, worlds=worlds)
    return row


def test_an_interrupted_dose_goes_on_where_it_stopped_and_strikes_as_an_uninterrupted_one(
    still: World, tmp_path: Path
) -> None:
    through, halting = Blows(), Blows(instead={2: KeyboardInterrupt()})
    whole = _given(_fault(through), still, tmp_path / "through")
    with pytest.raises(KeyboardInterrupt):
        _given(_fault(halting), still, tmp_path / "halting")
    assert len(halting.drawn) == 2
    resumed = _given(_fault(halting), still, tmp_path / "halting")
    assert halting.drawn == through.drawn
    assert (resumed.injected, resumed.worst_seconds) == (whole.injected, whole.worst_seconds) == (4, max(through.drawn))


def test_what_was_given_is_not_given_again_unless_with_another_seed(still: World, tmp_path: Path) -> None:
    blows = Blows()
    first = _given(_fault(blows), still, tmp_path)
    assert _given(_fault(blows), still, tmp_path) == first
    assert len(blows.drawn) == 4
    _given(_fault(blows), still, tmp_path, seed=2)
    assert len(set(blows.drawn)) == 8


def test_a_crash_of_the_harness_keeps_what_was_given(still: World, tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError):
        _given(_fault(Blows(instead={3: ZeroDivisionError()})), still, tmp_path)
    assert Archive(tmp_path).read(_fault(Blows()), dose="quick", seed=1).injected == 3


def test_a_broken_promise_is_a_loss_and_a_miss_is_nothing(still: World, tmp_path: Path) -> None:
    blows = Blows(instead={1: Broken("it came back too late"), 2: Missed("it had ended")})
    row = _given(_fault(blows), still, tmp_path)
    assert (row.injected, row.lost, row.reasons, len(blows.drawn)) == (4, 1, ("it came back too late",), 3)
    assert not healthy([row])


def test_a_run_that_does_not_end_is_lost_and_told_of_once(still: World, sessions: Sessions, tmp_path: Path) -> None:
    def accept(world: World, _: random.Random) -> float:
        with sessions.begin() as session:
            made = experiments.create(session, owner="local", spec=make_spec(), wish=Wish(seeds=(0,)))
            run = experiments.get(session, owner="local", experiment_id=made).runs[0].id
        world.ledger.accept(str(run), Expected(("succeeded",), None))
        return 0.0

    row = _given(_fault(accept), still, tmp_path)
    assert (row.lost, row.doubled) == (4, 0)
    assert all(" is queued " in reason for reason in row.reasons)


def test_what_the_database_should_have_refused_is_doubled(still: World, sessions: Sessions, tmp_path: Path) -> None:
    def end_a_lease_and_hold_its_device(_: World, __: random.Random) -> float:
        with sessions.begin() as session:
            endings.lose(session, new_lease(session), exit_code=None, error="killed")
            holding = "UPDATE devices d SET run_id = a.run_id, attempt = a.n FROM attempts a"
            session.execute(text(f"{holding} WHERE d.worker_id = a.worker_id"))
        return 0.0

    row = _given(_fault(end_a_lease_and_hold_its_device), still, tmp_path)
    assert (row.lost, row.doubled) == (0, 4)
    assert row.reasons[0].startswith("a device is held by an attempt that had ended")


def test_quick_doses_share_a_world_where_they_need_the_same_and_full_ones_do_not(still: World, tmp_path: Path) -> None:
    opened: list[str] = []

    def open_one(fault: Fault) -> AbstractContextManager[World]:
        opened.append(fault.name)
        return nullcontext(still)

    still.heal = lambda: None  # type: ignore[method-assign]
    one, other, third = _fault(Blows(), "one"), Fault("other", "", Blows(), 1, 1, workers=1), _fault(Blows(), "third")
    for dose in ("quick", "full"):
        rows = campaign(
            [one, other, third], dose=dose, seed=1, archive=Archive(tmp_path), say=print, worlds=Worlds(open_one)
        )
        assert [row.fault for row in rows] == ["one", "other", "third"]
    assert opened == ["one", "other", "one", "other", "third"]
