"""Devices are rows: a claim takes them, the end of the attempt gives them back."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from mmix.errors import Fenced
from mmix.store import endings, experiments, leases, runs, workers
from mmix.store.devices import Listed
from mmix.store.experiments import Wish
from mmix.store.leases import Lease
from mmix.store.sessions import Sessions
from tests.conftest import make_spec, new_worker


def _queue(sessions: Sessions, *, devices: int, seed: int = 0) -> UUID:
    with sessions.begin() as session:
        spec = make_spec(training={"epochs": 2, "devices": devices})
        made = experiments.create(session, owner="local", spec=spec, wish=Wish(seeds=(seed,)))
        return experiments.get(session, owner="local", experiment_id=made).runs[0].id


def _join(sessions: Sessions, *, devices: int) -> UUID:
    with sessions.begin() as session:
        return new_worker(session, devices=devices)


def _claim(sessions: Sessions, run_id: UUID, worker_id: UUID, *, lease_seconds: float = 60) -> Lease | None:
    with sessions.begin() as session:
        return leases.claim(
            session, run_id=run_id, worker_id=worker_id, host="here", queues=("any",), lease_seconds=lease_seconds
        )


def _held(sessions: Sessions, worker_id: UUID) -> dict[str, UUID | None]:
    with sessions.begin() as session:
        rows = session.execute(text("SELECT uuid, run_id FROM devices WHERE worker_id = :id"), {"id": worker_id})
        return {row.uuid: row.run_id for row in rows}


def test_a_claim_takes_as_many_devices_as_the_run_needs(sessions: Sessions) -> None:
    worker, run_id = _join(sessions, devices=3), _queue(sessions, devices=2)
    lease = _claim(sessions, run_id, worker)
    assert lease is not None
    assert lease.devices == ("cpu-0", "cpu-1")
    assert _held(sessions, worker) == {"cpu-0": run_id, "cpu-1": run_id, "cpu-2": None}


def test_with_too_few_free_devices_nothing_is_claimed_and_the_run_stays_queued(sessions: Sessions) -> None:
    worker, run_id = _join(sessions, devices=1), _queue(sessions, devices=2)
    _join(sessions, devices=5)
    with sessions.begin() as session:
        session.execute(text("UPDATE runs SET dispatched_at = now()"))
    assert _claim(sessions, run_id, worker) is None
    assert _held(sessions, worker) == {"cpu-0": None}
    with sessions.begin() as session:
        row = session.execute(text("SELECT state, attempt, dispatched_at FROM runs")).one()
    assert tuple(row) == ("queued", 0, None)


def test_two_claims_at_once_never_share_a_device(sessions: Sessions) -> None:
    worker = _join(sessions, devices=4)
    wanted = [_queue(sessions, devices=2, seed=seed) for seed in range(8)]
    barrier = Barrier(len(wanted))

    def claim(run_id: UUID) -> Lease | None:
        barrier.wait()
        return _claim(sessions, run_id, worker)

    with ThreadPoolExecutor(len(wanted)) as pool:
        won = [lease for lease in pool.map(claim, wanted) if lease is not None]
    taken = [uuid for lease in won for uuid in lease.devices]
    assert len(taken) == len(set(taken))
    assert {uuid: run for lease in won for uuid in lease.devices for run in [lease.run_id]} == {
        uuid: run for uuid, run in _held(sessions, worker).items() if run is not None
    }
    assert _claim(sessions, _queue(sessions, devices=5), worker) is None


def _succeed(session: Session, lease: Lease) -> None:
    endings.succeed(session, lease, found={"last": {"error": 0.5}}, provenance={}, seconds=1.0)


def _fail(session: Session, lease: Lease) -> None:
    endings.fail(session, lease, failure_class="error", message="broken", exit_code=1, error=None)


def _lose(session: Session, lease: Lease) -> None:
    endings.lose(session, lease, exit_code=-9, error="killed")


def _cancel(session: Session, lease: Lease) -> None:
    runs.cancel(session, owner="local", run_id=lease.run_id)
    endings.end_cancelled(session, lease, exit_code=0)


@pytest.mark.parametrize("end", [_succeed, _fail, _lose, _cancel])
def test_however_an_attempt_ends_its_devices_are_free(
    sessions: Sessions, end: Callable[[Session, Lease], None]
) -> None:
    worker = _join(sessions, devices=2)
    lease = _claim(sessions, _queue(sessions, devices=2), worker)
    assert lease is not None
    with sessions.begin() as session:
        end(session, lease)
    assert _held(sessions, worker) == {"cpu-0": None, "cpu-1": None}


@pytest.mark.parametrize("cancelled", [False, True])
def test_a_lapsed_lease_frees_its_devices_and_no_others(sessions: Sessions, cancelled: bool) -> None:
    worker = _join(sessions, devices=3)
    lapsed, alive = _queue(sessions, devices=2), _queue(sessions, devices=1)
    _claim(sessions, lapsed, worker, lease_seconds=-1)
    _claim(sessions, alive, worker)
    if cancelled:
        with sessions.begin() as session:
            runs.cancel(session, owner="local", run_id=lapsed)
    with sessions.begin() as session:
        assert endings.reap(session, grace_seconds=0) == 1
    assert _held(sessions, worker) == {"cpu-0": None, "cpu-1": None, "cpu-2": alive}


def test_a_stale_attempt_frees_nothing_of_the_one_after_it(sessions: Sessions) -> None:
    worker, run_id = _join(sessions, devices=2), _queue(sessions, devices=2)
    stale = _claim(sessions, run_id, worker, lease_seconds=-1)
    with sessions.begin() as session:
        endings.reap(session, grace_seconds=0)
    assert stale is not None
    assert _claim(sessions, run_id, worker) is not None
    with pytest.raises(Fenced), sessions.begin() as session:
        endings.lose(session, stale, exit_code=-9, error="killed")
    assert _held(sessions, worker) == {"cpu-0": run_id, "cpu-1": run_id}


def test_devices_go_with_their_worker(sessions: Sessions) -> None:
    worker = _join(sessions, devices=2)
    lease = _claim(sessions, _queue(sessions, devices=1), worker)
    assert lease is not None
    with sessions.begin() as session:
        workers.leave(session, worker_id=worker)
    assert _held(sessions, worker) == {}
    with sessions.begin() as session:
        endings.lose(session, lease, exit_code=-9, error="killed")


def test_a_worker_that_says_again_that_it_is_alive_keeps_its_devices_held(sessions: Sessions) -> None:
    worker, run_id = _join(sessions, devices=2), _queue(sessions, devices=1)
    _claim(sessions, run_id, worker)
    inventory = [Listed("cpu-0", "cpu"), Listed("cpu-1", "cpu")]
    with sessions.begin() as session:
        workers.beat(session, worker_id=worker, host="here", pid=1, queues=("any",), inventory=inventory, data={})
    assert _held(sessions, worker) == {"cpu-0": run_id, "cpu-1": None}


def test_a_run_needs_at_least_one_device(sessions: Sessions) -> None:
    run_id = _queue(sessions, devices=1)
    with pytest.raises(IntegrityError), sessions.begin() as session:
        session.execute(text("UPDATE runs SET devices = 0 WHERE id = :id"), {"id": run_id})
