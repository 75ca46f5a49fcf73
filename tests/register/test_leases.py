"""Claim, renew, finish, fence, reap: on real PostgreSQL."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from mmix.errors import Fenced
from mmix.store import endings, events, experiments, leases, runs
from mmix.store.events import Batch, Line, Point
from mmix.store.experiments import Wish
from mmix.store.leases import Lease, StopReason
from mmix.store.sessions import Sessions
from mmix.store.states import LOSSES_ALLOWED
from tests.conftest import make_spec, new_worker

FOUND = {"last": {"error": 0.25, "nll": 0.5}}


@pytest.fixture
def run_id(sessions: Sessions) -> UUID:
    return _new_run(sessions)


def _new_run(sessions: Sessions, *, seed: int = 0, device: str = "any") -> UUID:
    with sessions.begin() as session:
        made = experiments.create(session, owner="local", spec=make_spec(), wish=Wish(seeds=(seed,), device=device))
        return experiments.get(session, owner="local", experiment_id=made).runs[0].id


def _claim(sessions: Sessions, run_id: UUID, *, lease_seconds: float = 60) -> Lease | None:
    with sessions.begin() as session:
        return leases.claim(
            session,
            run_id=run_id,
            worker_id=new_worker(session),
            host="here",
            queues=("any", "cpu"),
            lease_seconds=lease_seconds,
        )


def _claimed(sessions: Sessions, run_id: UUID, *, lease_seconds: float = 60) -> Lease:
    lease = _claim(sessions, run_id, lease_seconds=lease_seconds)
    assert lease is not None
    return lease


def _state(sessions: Sessions, run_id: UUID) -> str:
    with sessions.begin() as session:
        return runs.get(session, owner="local", run_id=run_id).state


def _outcomes(sessions: Sessions, run_id: UUID) -> list[str | None]:
    with sessions.begin() as session:
        rows = session.execute(text("SELECT outcome FROM attempts WHERE run_id = :id ORDER BY n"), {"id": run_id})
        return [row.outcome for row in rows]


def _reap(sessions: Sessions, *, grace_seconds: float = 0) -> int:
    with sessions.begin() as session:
        return endings.reap(session, grace_seconds=grace_seconds)


def _succeed(sessions: Sessions, lease: Lease) -> None:
    with sessions.begin() as session:
        endings.succeed(session, lease, found=FOUND, provenance={"threads": 1}, seconds=1.0)


def _fail(sessions: Sessions, lease: Lease) -> None:
    with sessions.begin() as session:
        endings.fail(session, lease, failure_class="error", message="broken", exit_code=1, error=None)


def _renew(sessions: Sessions, lease: Lease) -> StopReason | None:
    with sessions.begin() as session:
        return leases.renew(session, lease, lease_seconds=60)


def _record(sessions: Sessions, lease: Lease) -> None:
    with sessions.begin() as session:
        events.record(session, lease, Batch(points=[Point("error", 1, 0.5)], lines=[Line(1, "so it goes")]))


def _lose(sessions: Sessions, lease: Lease) -> None:
    with sessions.begin() as session:
        endings.lose(session, lease, exit_code=-9, error="killed")


WRITES: list[Callable[[Sessions, Lease], object]] = [_succeed, _fail, _renew, _record, _lose]


def test_of_many_claims_at_once_exactly_one_wins(sessions: Sessions, run_id: UUID) -> None:
    barrier = Barrier(8)

    def claim(_: int) -> Lease | None:
        barrier.wait()
        return _claim(sessions, run_id)

    with ThreadPoolExecutor(8) as pool:
        won = [lease for lease in pool.map(claim, range(8)) if lease is not None]
    assert [lease.attempt for lease in won] == [1]
    assert _outcomes(sessions, run_id) == [None]


def test_a_worker_does_not_get_a_run_that_asks_for_another_device(sessions: Sessions) -> None:
    run_id = _new_run(sessions, device="cuda")
    assert _claim(sessions, run_id) is None
    assert _state(sessions, run_id) == "queued"


def test_a_finished_run_has_its_results_and_cannot_be_claimed_again(sessions: Sessions, run_id: UUID) -> None:
    _succeed(sessions, _claimed(sessions, run_id))
    with sessions.begin() as session:
        found = runs.get(session, owner="local", run_id=run_id)
    assert (found.state, found.results) == ("succeeded", FOUND)
    assert _claim(sessions, run_id) is None


def test_finishing_twice_finishes_once(sessions: Sessions, run_id: UUID) -> None:
    lease = _claimed(sessions, run_id)
    _succeed(sessions, lease)
    _succeed(sessions, lease)
    with sessions.begin() as session:
        assert session.scalar(text("SELECT count(*) FROM results")) == 3
        assert session.scalar(text("SELECT max(n) FROM leaderboard")) == 1


@pytest.mark.parametrize("write", WRITES)
def test_a_stale_attempt_writes_nothing(
    sessions: Sessions, run_id: UUID, write: Callable[[Sessions, Lease], object]
) -> None:
    stale = _claimed(sessions, run_id, lease_seconds=-1)
    assert _reap(sessions) == 1
    _claimed(sessions, run_id)
    with pytest.raises(Fenced, match="Attempt 1 no longer owns run"):
        write(sessions, stale)
    assert _state(sessions, run_id) == "running"
    assert _outcomes(sessions, run_id) == ["lost", None]


def test_a_lapsed_run_is_queued_again(sessions: Sessions, run_id: UUID) -> None:
    _claimed(sessions, run_id, lease_seconds=-1)
    assert _reap(sessions) == 1
    assert _state(sessions, run_id) == "queued"
    assert _claimed(sessions, run_id).attempt == 2


def test_a_live_lease_is_not_reaped(sessions: Sessions, run_id: UUID) -> None:
    _claimed(sessions, run_id)
    assert _reap(sessions) == 0
    assert _state(sessions, run_id) == "running"


def test_after_a_restart_of_the_database_everybody_may_renew_first(sessions: Sessions, run_id: UUID) -> None:
    _claimed(sessions, run_id, lease_seconds=-1)
    assert _reap(sessions, grace_seconds=86_400) == 0
    assert _state(sessions, run_id) == "running"


def test_a_run_that_kills_its_workers_fails_in_the_end(sessions: Sessions, run_id: UUID) -> None:
    for _ in range(LOSSES_ALLOWED):
        _lose(sessions, _claimed(sessions, run_id))
        assert _state(sessions, run_id) == "queued"
    _lose(sessions, _claimed(sessions, run_id))
    with sessions.begin() as session:
        failure = runs.get(session, owner="local", run_id=run_id).failure
    assert failure is not None
    assert failure.failure_class == "lost"
    assert "6 attempts were lost, the last one so: killed" in failure.message


def test_a_queued_run_is_cancelled_at_once(sessions: Sessions, run_id: UUID) -> None:
    with sessions.begin() as session:
        runs.cancel(session, owner="local", run_id=run_id)
    assert _state(sessions, run_id) == "cancelled"
    assert _claim(sessions, run_id) is None


def test_a_running_run_hears_of_its_cancellation_and_then_never_has_a_result(sessions: Sessions, run_id: UUID) -> None:
    lease = _claimed(sessions, run_id)
    assert _renew(sessions, lease) is None
    with sessions.begin() as session:
        runs.cancel(session, owner="local", run_id=run_id)
    assert _renew(sessions, lease) == "cancel"
    with pytest.raises(Fenced):
        _succeed(sessions, lease)
    with sessions.begin() as session:
        endings.end_cancelled(session, lease, exit_code=0)
    with sessions.begin() as session:
        found = runs.get(session, owner="local", run_id=run_id)
        assert (found.state, found.results) == ("cancelled", {})
        assert session.scalar(text("SELECT count(*) FROM leaderboard")) == 0


def test_a_run_that_is_being_cancelled_when_its_worker_dies_is_cancelled(sessions: Sessions, run_id: UUID) -> None:
    _claimed(sessions, run_id, lease_seconds=-1)
    with sessions.begin() as session:
        runs.cancel(session, owner="local", run_id=run_id)
    assert _reap(sessions) == 1
    assert _state(sessions, run_id) == "cancelled"


def test_cancelling_a_finished_run_changes_nothing(sessions: Sessions, run_id: UUID) -> None:
    _succeed(sessions, _claimed(sessions, run_id))
    with sessions.begin() as session:
        runs.cancel(session, owner="local", run_id=run_id)
    assert _state(sessions, run_id) == "succeeded"


def test_a_failed_run_tells_why_even_with_a_nul_in_the_message(sessions: Sessions, run_id: UUID) -> None:
    lease = _claimed(sessions, run_id)
    with sessions.begin() as session:
        endings.fail(session, lease, failure_class="bad_data", message="a\x00b.png is broken", exit_code=1, error=None)
    with sessions.begin() as session:
        failure = runs.get(session, owner="local", run_id=run_id).failure
    assert failure is not None
    assert (failure.failure_class, failure.message) == ("bad_data", "a\\x00b.png is broken")


@pytest.mark.parametrize(
    "change",
    [
        "state = 'dreaming'",
        "state = 'running'",
        "state = 'succeeded'",
        "lease_until = now()",
        "attempt = -1",
        "failure_class = 'error'",
    ],
)
def test_the_database_itself_refuses_states_that_make_no_sense(sessions: Sessions, run_id: UUID, change: str) -> None:
    with pytest.raises(IntegrityError), sessions.begin() as session:
        session.execute(text(f"UPDATE runs SET {change} WHERE id = :id"), {"id": run_id})
