"""What a trainer reports, stored under the fence: on real PostgreSQL."""

import math

import pytest
from sqlalchemy import text

from mmix.errors import Fenced
from mmix.store import endings, events, leases, runs
from mmix.store.events import MOST_CHARACTERS, Batch, Line, Point, Progress, Start
from mmix.store.leases import Lease
from mmix.store.runs import AttemptView, RunView
from mmix.store.sessions import Sessions
from tests.conftest import new_lease, new_worker

WHOLE = Batch(
    start=Start(pid=7, first_epoch=1),
    progress=Progress(epoch=2, step=20, images_per_second=1000.0, seconds_left=5.0, seconds=3.0),
    points=[Point("error", 1, 0.5), Point("error", 2, 0.4), Point("nll", 2, math.nan)],
    lines=[Line(1, "hello"), Line(2, "world")],
)


@pytest.fixture
def lease(sessions: Sessions) -> Lease:
    with sessions.begin() as session:
        return new_lease(session)


def _record(sessions: Sessions, lease: Lease, batch: Batch) -> None:
    with sessions.begin() as session:
        events.record(session, lease, batch)


def _lose(sessions: Sessions, lease: Lease) -> None:
    with sessions.begin() as session:
        endings.lose(session, lease, exit_code=-9, error="killed")


def _next(sessions: Sessions, lease: Lease) -> Lease:
    with sessions.begin() as session:
        found = leases.claim(
            session,
            run_id=lease.run_id,
            worker_id=new_worker(session),
            host="there",
            queues=("any",),
            lease_seconds=60,
        )
    assert found is not None
    return found


def _run(sessions: Sessions, lease: Lease) -> RunView:
    with sessions.begin() as session:
        return runs.get(session, owner="local", run_id=lease.run_id)


def _attempt(sessions: Sessions, lease: Lease) -> AttemptView:
    with sessions.begin() as session:
        return runs.attempts_at(session, owner="local", run_id=lease.run_id)[lease.attempt - 1]


def _lines(sessions: Sessions, lease: Lease, *, attempt: int | None = None) -> list[tuple[int, int, str]]:
    with sessions.begin() as session:
        found = runs.log(session, owner="local", run_id=lease.run_id, attempt=attempt, after=(0, 0), limit=100)
    return [(line.attempt, line.n, line.line) for line in found]


def _curves(sessions: Sessions, lease: Lease) -> dict[str, list[tuple[int, float]]]:
    with sessions.begin() as session:
        return runs.curves(session, owner="local", run_id=lease.run_id)


def test_a_batch_that_is_stored_twice_is_one_batch(sessions: Sessions, lease: Lease) -> None:
    _record(sessions, lease, WHOLE)
    _record(sessions, lease, WHOLE)
    curves = _curves(sessions, lease)
    assert curves["error"] == [(1, 0.5), (2, 0.4)]
    assert math.isnan(dict(curves["nll"])[2])
    assert _lines(sessions, lease) == [(1, 1, "hello"), (1, 2, "world")]
    told = _attempt(sessions, lease)
    assert (told.first_epoch, told.last_epoch, told.last_step, told.images_per_second) == (1, 2, 20, 1000.0)
    assert told.trained_seconds == 3.0


def test_of_two_values_of_a_point_the_later_one_counts(sessions: Sessions, lease: Lease) -> None:
    _record(sessions, lease, Batch(points=[Point("error", 1, 0.5), Point("error", 1, 0.25)]))
    assert _curves(sessions, lease) == {"error": [(1, 0.25)]}


def test_nothing_of_a_fenced_batch_is_stored(sessions: Sessions, lease: Lease) -> None:
    _lose(sessions, lease)
    with pytest.raises(Fenced, match="Attempt 1 no longer owns run"):
        _record(sessions, lease, WHOLE)
    assert (_curves(sessions, lease), _lines(sessions, lease)) == ({}, [])
    assert _run(sessions, lease).epoch == 0


def test_a_run_that_is_being_cancelled_still_reports(sessions: Sessions, lease: Lease) -> None:
    with sessions.begin() as session:
        runs.cancel(session, owner="local", run_id=lease.run_id)
    _record(sessions, lease, WHOLE)
    assert len(_lines(sessions, lease)) == 2


def test_each_attempts_lines_stay_under_its_number(sessions: Sessions, lease: Lease) -> None:
    _record(sessions, lease, Batch(lines=[Line(1, "first")]))
    _lose(sessions, lease)
    second = _next(sessions, lease)
    _record(sessions, second, Batch(lines=[Line(1, "second")]))
    assert _lines(sessions, lease) == [(1, 1, "first"), (2, 1, "second")]
    assert _lines(sessions, lease, attempt=1) == [(1, 1, "first")]


def test_the_newest_attempt_speaks_where_curves_overlap(sessions: Sessions, lease: Lease) -> None:
    _record(sessions, lease, Batch(points=[Point("error", 1, 0.5), Point("error", 2, 0.4)]))
    _lose(sessions, lease)
    _record(sessions, _next(sessions, lease), Batch(points=[Point("error", 2, 0.3)]))
    assert _curves(sessions, lease) == {"error": [(1, 0.5), (2, 0.3)]}


def test_speed_and_time_left_are_those_of_the_attempt_under_way(sessions: Sessions, lease: Lease) -> None:
    _record(sessions, lease, WHOLE)
    running = _run(sessions, lease)
    _lose(sessions, lease)
    queued = _run(sessions, lease)
    assert (running.epoch, running.images_per_second, running.seconds_left) == (2, 1000.0, 5.0)
    assert (queued.epoch, queued.images_per_second, queued.seconds_left) == (2, None, None)


@pytest.mark.parametrize(
    ("printed", "kept"),
    [
        ("a\x00b", "a\\x00b"),
        ("half a \ud83d character", "half a \\ud83d character"),
        ("x" * (MOST_CHARACTERS + 1), "x" * MOST_CHARACTERS),
        ("'; DROP TABLE runs; -- %s :id \\", "'; DROP TABLE runs; -- %s :id \\"),
        ("", ""),
    ],
    ids=["NUL", "surrogate", "long", "SQL", "empty"],
)
def test_whatever_is_printed_can_be_stored(sessions: Sessions, lease: Lease, printed: str, kept: str) -> None:
    _record(sessions, lease, Batch(lines=[Line(1, printed)]))
    assert _lines(sessions, lease) == [(1, 1, kept)]


def test_only_the_commit_of_what_is_reported_does_not_wait_for_the_disk(sessions: Sessions, lease: Lease) -> None:
    with sessions() as session:
        with session.begin():
            events.record(session, lease, WHOLE)
            reported = session.scalar(text("SHOW synchronous_commit"))
        with session.begin():
            afterwards = session.scalar(text("SHOW synchronous_commit"))
    assert (reported, afterwards) == ("off", "on")
