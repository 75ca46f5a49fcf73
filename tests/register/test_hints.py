from uuid import UUID

import pytest
from sqlalchemy import text

from mmix.store import experiments, hints, leases
from mmix.store.experiments import Wish
from mmix.store.sessions import Sessions
from tests.conftest import make_spec, new_worker


def _queue(
    sessions: Sessions,
    *,
    seeds: int = 1,
    priority: int = 0,
    devices: int = 1,
    device: str = "any",
    owner: str = "local",
) -> list[UUID]:
    with sessions.begin() as session:
        spec = make_spec(training={"epochs": 2, "devices": devices})
        wish = Wish(seeds=tuple(range(seeds)), priority=priority, device=device)
        made = experiments.create(session, owner=owner, spec=spec, wish=wish)
        return [run.id for run in experiments.get(session, owner=owner, experiment_id=made).runs]


def _join(sessions: Sessions, *, devices: int, kinds: tuple[str, ...] = ("any", "cpu")) -> UUID:
    with sessions.begin() as session:
        return new_worker(session, devices=devices, kinds=kinds)


def _occupy(sessions: Sessions, worker_id: UUID) -> None:
    (run_id,) = _queue(sessions, priority=100)
    with sessions.begin() as session:
        lease = leases.claim(
            session, run_id=run_id, worker_id=worker_id, host="here", queues=("any",), lease_seconds=60
        )
        assert lease is not None


def _ring(sessions: Sessions, *, hint_seconds: float = 30, patience_seconds: float = 3600) -> list[UUID]:
    with sessions.begin() as session:
        wanted = hints.wanted(session, hint_seconds=hint_seconds, alive_seconds=15, patience_seconds=patience_seconds)
        hints.stamp(session, [hint.run_id for hint in wanted])
        return [hint.run_id for hint in wanted]


def test_at_most_free_slots_and_one_are_rung_for(sessions: Sessions) -> None:
    _queue(sessions, seeds=10)
    _join(sessions, devices=3)
    assert len(_ring(sessions)) == 4
    assert _ring(sessions) == []


def test_a_slot_that_is_held_is_not_free(sessions: Sessions) -> None:
    _occupy(sessions, _join(sessions, devices=3))
    _queue(sessions, seeds=10)
    assert len(_ring(sessions)) == 3


def test_without_a_worker_one_is_rung_for(sessions: Sessions) -> None:
    _queue(sessions, seeds=10)
    assert len(_ring(sessions)) == 1


def test_a_doorbell_that_nobody_heard_is_rung_again(sessions: Sessions) -> None:
    _queue(sessions)
    assert len(_ring(sessions)) == 1
    assert _ring(sessions) == []
    assert len(_ring(sessions, hint_seconds=0)) == 1


def test_a_doorbell_that_could_not_be_rung_is_rung_again_at_once(sessions: Sessions) -> None:
    rung = _queue(sessions)
    assert _ring(sessions) == rung
    with sessions.begin() as session:
        hints.unstamp(session, rung)
    assert _ring(sessions) == rung


def test_higher_priority_and_then_the_older_run_comes_first(sessions: Sessions) -> None:
    old = _queue(sessions)
    new = _queue(sessions)
    urgent = _queue(sessions, priority=5)
    _join(sessions, devices=8)
    assert _ring(sessions) == urgent + old + new


def test_owners_of_one_priority_take_turns(sessions: Sessions) -> None:
    many = _queue(sessions, seeds=4, owner="first")
    few = _queue(sessions, seeds=2, owner="second")
    _join(sessions, devices=8)
    assert _ring(sessions) == [many[0], few[0], many[1], few[1], many[2], many[3]]


def test_whoever_has_runs_under_way_waits_for_those_who_have_none(sessions: Sessions) -> None:
    worker = _join(sessions, devices=3)
    for _ in range(2):
        _occupy(sessions, worker)
    _queue(sessions, seeds=2)
    newcomer = _queue(sessions, seeds=2, owner="newcomer")
    assert _ring(sessions) == newcomer


def test_workers_that_have_not_been_seen_for_long_do_not_count(sessions: Sessions) -> None:
    _queue(sessions, seeds=10)
    _join(sessions, devices=8)
    with sessions.begin() as session:
        session.execute(text("UPDATE workers SET last_seen = now() - interval '1 hour'"))
    assert len(_ring(sessions)) == 1


def test_a_queue_counts_only_the_workers_that_serve_it(sessions: Sessions) -> None:
    _queue(sessions, seeds=10)
    _join(sessions, devices=8, kinds=("cuda",))
    assert len(_ring(sessions)) == 1


@pytest.mark.parametrize(("workers", "rung"), [((), 0), ((1, 1, 1), 0), ((2,), 2), ((5, 3), 4), ((2, 1), 2)])
def test_runs_on_two_devices_are_rung_for_where_one_worker_has_two_free(
    sessions: Sessions, workers: tuple[int, ...], rung: int
) -> None:
    _queue(sessions, seeds=10, devices=2)
    for devices in workers:
        _join(sessions, devices=devices)
    assert len(_ring(sessions)) == rung


def test_a_large_run_that_has_waited_long_holds_back_what_comes_after_it(sessions: Sessions) -> None:
    worker = _join(sessions, devices=2)
    _occupy(sessions, worker)
    before = _queue(sessions)
    large = _queue(sessions, devices=2)
    _queue(sessions, seeds=5)
    _queue(sessions, seeds=5, device="cpu")
    urgent = _queue(sessions, priority=1)
    assert _ring(sessions, patience_seconds=0) == urgent + before
    with sessions.begin() as session:
        session.execute(text("UPDATE devices SET run_id = NULL, attempt = NULL"))
    assert large[0] in _ring(sessions, patience_seconds=0)


def test_a_large_run_holds_nothing_back_before_it_has_waited_long(sessions: Sessions) -> None:
    _occupy(sessions, _join(sessions, devices=2))
    _queue(sessions, devices=2)
    after = _queue(sessions)
    assert _ring(sessions, patience_seconds=60) == after


def test_a_run_too_large_for_every_worker_holds_nothing_back(sessions: Sessions) -> None:
    _join(sessions, devices=2)
    _queue(sessions, devices=4)
    after = _queue(sessions)
    assert _ring(sessions, patience_seconds=0) == after


def test_a_large_run_holds_nothing_back_at_workers_that_cannot_have_it(sessions: Sessions) -> None:
    _join(sessions, devices=1)
    _occupy(sessions, _join(sessions, devices=2, kinds=("any",)))
    _queue(sessions, devices=2)
    elsewhere = _queue(sessions, device="cpu")
    assert _ring(sessions, patience_seconds=0) == elsewhere
