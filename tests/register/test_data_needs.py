"""A run goes to workers that have its data, and nobody waits for data that nobody has."""

from collections.abc import Sequence
from uuid import UUID

import pytest
from sqlalchemy import text

from mmix.store import endings, experiments, hints, leases, retries, runs, workers
from mmix.store.devices import Listed
from mmix.store.experiments import Wish
from mmix.store.hints import Hint
from mmix.store.leases import Lease
from mmix.store.sessions import Sessions
from tests.conftest import make_spec, new_worker

Data = dict[str, str | None]

CIFAR: Data = {"cifar10": "a" * 64}
BOTH: Data = CIFAR | {"svhn": None}


def _queue(
    sessions: Sessions,
    *,
    data: str | None = None,
    ood: Sequence[str] = (),
    seeds: int = 1,
    priority: int = 0,
    owner: str = "local",
    devices: int = 1,
) -> list[UUID]:
    spec = make_spec(
        data={"kind": data or "digits"},
        training={"epochs": 2, "devices": devices},
        evaluation={"ood": [{"kind": kind} for kind in ood]},
    )
    with sessions.begin() as session:
        wish = Wish(seeds=tuple(range(seeds)), priority=priority)
        made = experiments.create(session, owner=owner, spec=spec, wish=wish)
        return [run.id for run in experiments.get(session, owner=owner, experiment_id=made).runs]


def _join(sessions: Sessions, *, devices: int = 1, data: Data | None = None) -> UUID:
    with sessions.begin() as session:
        return new_worker(session, devices=devices, data=data or {})


def _tell(sessions: Sessions, worker_id: UUID, data: Data) -> None:
    with sessions.begin() as session:
        inventory = [Listed("cpu-0", "cpu")]
        kinds = ("any", "cpu")
        workers.beat(session, worker_id=worker_id, host="here", pid=1, queues=kinds, inventory=inventory, data=data)


def _claim(sessions: Sessions, run_id: UUID, worker_id: UUID) -> Lease | None:
    with sessions.begin() as session:
        return leases.claim(session, run_id=run_id, worker_id=worker_id, host="here", queues=("any",), lease_seconds=60)


def _end(sessions: Sessions, lease: Lease | None) -> None:
    assert lease is not None
    with sessions.begin() as session:
        endings.succeed(session, lease, found={"last": {"error": 0.5}}, provenance={}, seconds=1.0)


def _look(sessions: Sessions, *, patience_seconds: float = 3600) -> list[Hint]:
    with sessions.begin() as session:
        found = hints.wanted(session, hint_seconds=30, alive_seconds=15, patience_seconds=patience_seconds)
        hints.stamp(session, [hint.run_id for hint in found])
        return found


def _ring(sessions: Sessions, *, patience_seconds: float = 3600) -> list[tuple[UUID, UUID | None]]:
    return [(hint.run_id, hint.worker) for hint in _look(sessions, patience_seconds=patience_seconds)]


def _pass(sessions: Sessions, *, seconds: int) -> None:
    """Makes every doorbell so much older."""
    with sessions.begin() as session:
        session.execute(
            text("UPDATE runs SET dispatched_at = dispatched_at - make_interval(secs => :s)"), {"s": seconds}
        )


@pytest.mark.parametrize(
    ("data", "ood", "needed"),
    [
        ("digits", ("uniform_noise",), []),
        ("cifar10", (), ["cifar10"]),
        ("svhn", ("uniform_noise", "cifar10", "digits"), ["cifar10", "svhn"]),
        ("digits", ("cifar10", "cifar10"), ["cifar10"]),
    ],
)
def test_a_run_knows_the_data_that_must_lie_at_its_worker(
    sessions: Sessions, data: str, ood: Sequence[str], needed: list[str]
) -> None:
    _queue(sessions, data=data, ood=ood)
    with sessions.begin() as session:
        assert session.scalar(text("SELECT data FROM runs")) == needed


def test_a_retry_needs_the_same_data(sessions: Sessions) -> None:
    (run_id,) = _queue(sessions, data="svhn", ood=("cifar10",))
    with sessions.begin() as session:
        runs.cancel(session, owner="local", run_id=run_id)
        made = retries.retry(session, owner="local", run_id=run_id)
        assert session.scalar(text("SELECT data FROM runs WHERE id = :id"), {"id": made}) == ["cifar10", "svhn"]


@pytest.mark.parametrize("had", [{}, {"svhn": "b" * 64}, {"cifar100": None}])
def test_a_worker_claims_no_run_whose_data_it_lacks(sessions: Sessions, had: Data) -> None:
    worker = _join(sessions, data=had)
    (run_id,) = _queue(sessions, data="cifar10")
    with sessions.begin() as session:
        session.execute(text("UPDATE runs SET dispatched_at = now()"))
    assert _claim(sessions, run_id, worker) is None
    with sessions.begin() as session:
        row = session.execute(text("SELECT state, attempt, dispatched_at FROM runs")).one()
        held = session.scalar(text("SELECT count(*) FROM devices WHERE run_id IS NOT NULL"))
    assert (*row, held) == ("queued", 0, None, 0)


def test_a_worker_needs_all_of_the_data(sessions: Sessions) -> None:
    one, both = _join(sessions, data=CIFAR), _join(sessions, data=BOTH)
    (run_id,) = _queue(sessions, data="cifar10", ood=("svhn",))
    assert _claim(sessions, run_id, one) is None
    assert _claim(sessions, run_id, both) is not None


def test_data_that_come_or_go_while_a_worker_works_count_from_its_next_word(sessions: Sessions) -> None:
    worker = _join(sessions)
    first, second = _queue(sessions, data="cifar10", seeds=2)
    assert _ring(sessions) == []
    _tell(sessions, worker, CIFAR)
    assert _ring(sessions) == [(first, worker), (second, worker)]
    _tell(sessions, worker, {})
    assert _claim(sessions, first, worker) is None
    _tell(sessions, worker, CIFAR)
    assert _claim(sessions, first, worker) is not None


def test_runs_are_rung_for_at_the_worker_that_has_their_data(sessions: Sessions) -> None:
    cifar = _join(sessions, data=CIFAR)
    svhn = _join(sessions, data={"svhn": None})
    (first,) = _queue(sessions, data="svhn")
    (second,) = _queue(sessions, data="cifar10")
    assert _ring(sessions) == [(first, svhn), (second, cifar)]


def test_runs_without_data_of_their_own_are_for_everybody(sessions: Sessions) -> None:
    _join(sessions, data=CIFAR)
    (run_id,) = _queue(sessions)
    assert _ring(sessions) == [(run_id, None)]


def test_runs_are_shared_out_among_the_workers_that_have_the_data(sessions: Sessions) -> None:
    large, small = _join(sessions, devices=3, data=CIFAR), _join(sessions, devices=1, data=CIFAR)
    _join(sessions, devices=9)
    _queue(sessions, data="cifar10", seeds=10)
    at = [worker for _, worker in _ring(sessions)]
    assert (at.count(large), at.count(small)) in {(4, 1), (3, 2)}  # the spare one is at either
    assert _ring(sessions) == []


def test_data_that_nobody_has_are_never_rung_for_and_block_nobody(sessions: Sessions) -> None:
    worker = _join(sessions, devices=2)
    _queue(sessions, data="cifar100", seeds=20, priority=100)
    behind = _queue(sessions, seeds=5)
    assert _ring(sessions) == [(run_id, None) for run_id in behind[:3]]
    _end(sessions, _claim(sessions, behind[0], worker))
    assert _ring(sessions) == [(behind[3], None)]


def test_owners_whose_data_nobody_has_keep_their_turn_for_other_runs(sessions: Sessions) -> None:
    _queue(sessions, data="cifar100", seeds=20, owner="first")
    many = _queue(sessions, seeds=2, owner="first")
    few = _queue(sessions, seeds=2, owner="second")
    _join(sessions, devices=8)
    assert [run_id for run_id, _ in _ring(sessions)] == [many[0], few[0], many[1], few[1]]


def test_data_at_a_busy_worker_block_nobody_at_another(sessions: Sessions) -> None:
    busy = _join(sessions, data=BOTH)
    lease = _claim(sessions, _queue(sessions, data="cifar10")[0], busy)
    waiting = [*_queue(sessions, data="cifar10", seeds=5, priority=5), *_queue(sessions, data="svhn", seeds=5)]
    _join(sessions, devices=3)
    free = _queue(sessions, seeds=5)
    assert _ring(sessions) == [(waiting[0], busy), *[(run_id, None) for run_id in free[:3]]]
    _end(sessions, lease)
    assert _ring(sessions)[0] == (waiting[1], busy)


def test_one_doorbell_is_spare_whatever_the_data(sessions: Sessions) -> None:
    busy = _join(sessions, data=BOTH)
    _claim(sessions, _queue(sessions)[0], busy)
    first = _queue(sessions, data="cifar10", seeds=2)
    _queue(sessions, data="svhn", seeds=2)
    _queue(sessions, seeds=2)
    assert _ring(sessions) == [(first[0], busy)]
    assert _ring(sessions) == []


def test_doorbells_before_a_worker_that_became_busy_block_nobody_at_another(sessions: Sessions) -> None:
    busy = _join(sessions, devices=3, data=BOTH)
    waiting = [*_queue(sessions, data="cifar10"), *_queue(sessions, data="svhn")]
    waiting += _queue(sessions, data="svhn", ood=("cifar10",))
    assert _ring(sessions) == [(run_id, busy) for run_id in waiting]
    for run_id in _queue(sessions, seeds=3, priority=5):
        _claim(sessions, run_id, busy)
    _join(sessions, devices=2)
    free = _queue(sessions, seeds=5)
    assert _ring(sessions) == [(run_id, None) for run_id in free[:2]]


def test_one_order_holds_whatever_the_data(sessions: Sessions) -> None:
    worker = _join(sessions, devices=8, data=BOTH)
    old, new = _queue(sessions, data="cifar10"), _queue(sessions)
    urgent = _queue(sessions, data="svhn", priority=5)
    other = _queue(sessions, data="cifar10", owner="other")
    assert _ring(sessions) == [
        (urgent[0], worker),
        (old[0], worker),
        (other[0], worker),
        (new[0], None),
    ]


def test_a_doorbell_that_waits_at_a_busy_worker_is_rung_at_the_one_that_comes_free_first(sessions: Sessions) -> None:
    first, second = _join(sessions, data=CIFAR), _join(sessions, data=CIFAR)
    held = {
        worker: _claim(sessions, run_id, worker)
        for worker, run_id in zip((first, second), _queue(sessions, data="cifar10", seeds=2), strict=True)
    }
    (spare,) = _queue(sessions, data="cifar10")
    ((rung, at),) = _ring(sessions)
    assert rung == spare
    (other,) = held.keys() - {at}
    _pass(sessions, seconds=6)
    assert _ring(sessions) == []
    _end(sessions, held[other])
    assert _ring(sessions) == [(spare, other)]


def test_doorbells_at_a_worker_that_has_gone_keep_nobody_from_being_rung_for(sessions: Sessions) -> None:
    gone = _join(sessions, devices=8, data=CIFAR)
    _queue(sessions, data="cifar10", seeds=8)
    assert len(_ring(sessions)) == 8
    with sessions.begin() as session:
        workers.leave(session, worker_id=gone)
    _join(sessions, devices=2)
    rest = _queue(sessions, seeds=5)
    assert _ring(sessions) == [(run_id, None) for run_id in rest[:3]]


def test_a_worker_that_gives_its_runs_back_is_not_rung_at(sessions: Sessions) -> None:
    drained, other = _join(sessions, devices=4, data=CIFAR), _join(sessions, data=CIFAR)
    with sessions.begin() as session:
        workers.drain(session, worker_id=drained)
    runs_ = _queue(sessions, data="cifar10", seeds=5)
    assert _ring(sessions) == [(runs_[0], other), (runs_[1], other)]


def test_several_devices_and_the_data_must_be_at_one_worker(sessions: Sessions) -> None:
    _join(sessions, devices=4)
    _join(sessions, data=CIFAR)
    large = _queue(sessions, data="cifar10", devices=2)
    assert _ring(sessions, patience_seconds=0) == []
    able = _join(sessions, devices=2, data=CIFAR)
    assert _ring(sessions, patience_seconds=0) == [(large[0], able)]


def test_a_large_run_holds_nothing_back_at_workers_that_lack_its_data(sessions: Sessions) -> None:
    busy = _join(sessions, devices=2, data=CIFAR)
    _claim(sessions, _queue(sessions)[0], busy)
    elsewhere = _join(sessions, data={"svhn": None})
    _queue(sessions, data="cifar10", devices=2)
    after = _queue(sessions, data="svhn")
    _queue(sessions, data="cifar10")
    assert _ring(sessions, patience_seconds=0) == [(after[0], elsewhere)]
