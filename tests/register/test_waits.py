"""Runs that wait for others, runs that wait to be tried again, and runs that take another's place."""

from uuid import UUID

import pytest
from sqlalchemy import text

from mmix.errors import Conflict, NotFound
from mmix.store import endings, experiments, leases, retries, runs, waits
from mmix.store.experiments import Wish
from mmix.store.leases import Lease
from mmix.store.sessions import Sessions
from mmix.store.states import FIRST_WAIT_SECONDS, RETRIED, TRIES
from tests.conftest import make_spec, new_worker

FOUND = {"last": {"error": 0.25}}


def post(sessions: Sessions, *, seeds: tuple[int, ...] = (0,), after: tuple[UUID, ...] = ()) -> UUID:
    with sessions.begin() as session:
        return experiments.create(session, owner="local", spec=make_spec(), wish=Wish(seeds=seeds, after=after))


def runs_of(sessions: Sessions, experiment: UUID) -> list[UUID]:
    with sessions.begin() as session:
        return [run.id for run in experiments.get(session, owner="local", experiment_id=experiment).runs]


def experiment_state(sessions: Sessions, experiment: UUID) -> str:
    with sessions.begin() as session:
        return experiments.get(session, owner="local", experiment_id=experiment).state


def view(sessions: Sessions, run_id: UUID) -> runs.RunView:
    with sessions.begin() as session:
        return runs.get(session, owner="local", run_id=run_id)


def promote(sessions: Sessions) -> int:
    with sessions.begin() as session:
        return waits.promote(session)


def claim(sessions: Sessions, run_id: UUID) -> Lease | None:
    with sessions.begin() as session:
        worker = new_worker(session)
        return leases.claim(session, run_id=run_id, worker_id=worker, host="here", queues=("any",), lease_seconds=60)


def claimed(sessions: Sessions, run_id: UUID) -> Lease:
    lease = claim(sessions, run_id)
    assert lease is not None
    return lease


def succeed(sessions: Sessions, run_id: UUID) -> None:
    lease = claimed(sessions, run_id)
    with sessions.begin() as session:
        endings.succeed(session, lease, found=FOUND, provenance={}, seconds=1.0)


def fail(sessions: Sessions, run_id: UUID, failure_class: str = "bad_data") -> None:
    lease = claimed(sessions, run_id)
    with sessions.begin() as session:
        endings.fail(session, lease, failure_class=failure_class, message="broken", exit_code=1, error=None)


def let_pass(sessions: Sessions, run_id: UUID) -> None:
    with sessions.begin() as session:
        session.execute(text("UPDATE runs SET not_before = now() WHERE id = :id"), {"id": run_id})


def test_a_run_waits_until_all_that_it_needs_have_succeeded(sessions: Sessions) -> None:
    first = post(sessions, seeds=(0, 1))
    one, two = runs_of(sessions, first)
    (last,) = runs_of(sessions, post(sessions, seeds=(2,), after=(first,)))
    assert (view(sessions, last).state, claim(sessions, last)) == ("blocked", None)
    succeed(sessions, one)
    assert (promote(sessions), view(sessions, last).state) == (0, "blocked")
    succeed(sessions, two)
    assert (promote(sessions), view(sessions, last).state) == (1, "queued")


def test_a_run_that_waits_in_vain_fails_and_names_what_it_waited_for(sessions: Sessions) -> None:
    first = post(sessions, seeds=(0, 1))
    broken, _ = runs_of(sessions, first)
    second = post(sessions, seeds=(2,), after=(first,))
    third = post(sessions, seeds=(3,), after=(second,))
    fail(sessions, broken)
    assert [promote(sessions) for _ in range(3)] == [1, 1, 0]
    found = view(sessions, runs_of(sessions, second)[0])
    assert found.state == "failed"
    assert found.failure is not None
    assert found.failure.failure_class == "need_failed"
    assert str(broken) in found.failure.message
    assert experiment_state(sessions, third) == "failed"


def test_cancelling_what_a_run_waits_for_ends_its_wait(sessions: Sessions) -> None:
    first = post(sessions)
    second = post(sessions, seeds=(1,), after=(first,))
    with sessions.begin() as session:
        runs.cancel_experiment(session, owner="local", experiment_id=first)
    promote(sessions)
    assert experiment_state(sessions, second) == "failed"


def test_a_blocked_run_is_cancelled_at_once(sessions: Sessions) -> None:
    second = post(sessions, seeds=(1,), after=(post(sessions),))
    with sessions.begin() as session:
        runs.cancel_experiment(session, owner="local", experiment_id=second)
    assert experiment_state(sessions, second) == "cancelled"


def test_nobody_waits_for_what_is_not_there_or_is_not_theirs(sessions: Sessions) -> None:
    first = post(sessions)
    with pytest.raises(NotFound, match=str(first)), sessions.begin() as session:
        experiments.create(session, owner="another", spec=make_spec(), wish=Wish(seeds=(0,), after=(first,)))


@pytest.mark.parametrize("failure_class", sorted(RETRIED))
def test_an_unforeseen_error_is_tried_again_after_longer_and_longer_waits(
    sessions: Sessions, failure_class: str
) -> None:
    (run,) = runs_of(sessions, post(sessions))
    waited = []
    for _ in range(TRIES - 1):
        fail(sessions, run, failure_class)
        assert (view(sessions, run).state, claim(sessions, run), promote(sessions)) == ("retry_wait", None, 0)
        with sessions.begin() as session:
            seconds = text("SELECT extract(epoch FROM not_before - now()) FROM runs WHERE id = :id")
            waited.append(float(session.scalar(seconds, {"id": run})))
        let_pass(sessions, run)
        assert (promote(sessions), view(sessions, run).state) == (1, "queued")
    fail(sessions, run, failure_class)
    assert view(sessions, run).state == "failed"
    assert waited == pytest.approx([FIRST_WAIT_SECONDS, 2 * FIRST_WAIT_SECONDS], abs=2)


@pytest.mark.parametrize("failure_class", ["bad_spec", "bad_data", "diverged", "out_of_memory", "timeout", "error"])
def test_what_would_come_again_is_not_tried_again(sessions: Sessions, failure_class: str) -> None:
    (run,) = runs_of(sessions, post(sessions))
    fail(sessions, run, failure_class)
    assert view(sessions, run).state == "failed"


def test_a_run_that_waits_to_be_tried_again_is_cancelled_at_once(sessions: Sessions) -> None:
    experiment = post(sessions)
    (run,) = runs_of(sessions, experiment)
    fail(sessions, run, "crashed")
    with sessions.begin() as session:
        runs.cancel(session, owner="local", run_id=run)
    assert experiment_state(sessions, experiment) == "cancelled"


def test_being_preempted_costs_nothing_however_often(sessions: Sessions) -> None:
    (run,) = runs_of(sessions, post(sessions))
    for _ in range(8):
        lease = claimed(sessions, run)
        for _ in range(2):  # the first answer may have been lost
            with sessions.begin() as session:
                endings.preempt(session, lease, exit_code=0)
    succeed(sessions, run)
    with sessions.begin() as session:
        outcomes = [attempt.outcome for attempt in runs.attempts_at(session, owner="local", run_id=run)]
    assert outcomes == ["preempted"] * 8 + ["succeeded"]


def test_a_retry_is_a_new_run_that_takes_the_place_of_the_old(sessions: Sessions) -> None:
    experiment = post(sessions, seeds=(0, 1))
    broken, other = runs_of(sessions, experiment)
    fail(sessions, broken)
    before = view(sessions, broken)
    with sessions.begin() as session:
        made = retries.retry(session, owner="local", run_id=broken)
    assert (view(sessions, made).retry_of, view(sessions, made).state) == (broken, "queued")
    assert view(sessions, broken) == before
    assert set(runs_of(sessions, experiment)) == {made, other}
    assert experiment_state(sessions, experiment) == "queued"
    succeed(sessions, made)
    succeed(sessions, other)
    assert experiment_state(sessions, experiment) == "succeeded"


def test_only_what_failed_or_was_cancelled_is_retried_and_only_once(sessions: Sessions) -> None:
    (run,) = runs_of(sessions, post(sessions))
    with pytest.raises(Conflict, match="is queued"), sessions.begin() as session:
        retries.retry(session, owner="local", run_id=run)
    with sessions.begin() as session:
        runs.cancel(session, owner="local", run_id=run)
        made = retries.retry(session, owner="local", run_id=run)
    with pytest.raises(Conflict, match=str(made)), sessions.begin() as session:
        retries.retry(session, owner="local", run_id=run)


def test_a_retry_waits_for_the_retries_of_what_the_old_run_needed(sessions: Sessions) -> None:
    (first,) = runs_of(sessions, post(sessions))
    (second,) = runs_of(sessions, post(sessions, seeds=(1,), after=(first,)))
    fail(sessions, first)
    promote(sessions)
    with sessions.begin() as session:
        first_again = retries.retry(session, owner="local", run_id=first)
        second_again = retries.retry(session, owner="local", run_id=second)
    assert view(sessions, second_again).state == "blocked"
    succeed(sessions, first_again)
    assert (promote(sessions), view(sessions, second_again).state) == (1, "queued")
