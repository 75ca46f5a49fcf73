from uuid import UUID, uuid4

from sqlalchemy import text

from mmix.store import experiments, hints, workers
from mmix.store.experiments import Wish
from mmix.store.sessions import Sessions
from tests.conftest import make_spec


def _queue(sessions: Sessions, *, seeds: int, priority: int = 0) -> list[UUID]:
    with sessions.begin() as session:
        wish = Wish(seeds=tuple(range(seeds)), priority=priority)
        made = experiments.create(session, owner="local", spec=make_spec(), wish=wish)
        return [run.id for run in experiments.get(session, owner="local", experiment_id=made).runs]


def _beat(sessions: Sessions, *, slots: int, queues: tuple[str, ...] = ("any", "cpu")) -> None:
    with sessions.begin() as session:
        workers.beat(session, worker_id=uuid4(), host="here", pid=1, slots=slots, queues=queues)


def _ring(sessions: Sessions, *, queue: str = "any", hint_seconds: float = 30) -> list[UUID]:
    with sessions.begin() as session:
        wanted = hints.wanted(session, queue=queue, hint_seconds=hint_seconds, alive_seconds=15)
        hints.stamp(session, [hint.run_id for hint in wanted])
        return [hint.run_id for hint in wanted]


def test_at_most_free_slots_and_one_are_rung_for(sessions: Sessions) -> None:
    _queue(sessions, seeds=10)
    _beat(sessions, slots=3)
    assert len(_ring(sessions)) == 4
    assert _ring(sessions) == []


def test_without_a_worker_one_is_rung_for(sessions: Sessions) -> None:
    _queue(sessions, seeds=10)
    assert len(_ring(sessions)) == 1


def test_a_doorbell_that_nobody_heard_is_rung_again(sessions: Sessions) -> None:
    _queue(sessions, seeds=1)
    assert len(_ring(sessions)) == 1
    assert _ring(sessions) == []
    assert len(_ring(sessions, hint_seconds=0)) == 1


def test_higher_priority_and_then_the_older_run_comes_first(sessions: Sessions) -> None:
    old = _queue(sessions, seeds=1)
    new = _queue(sessions, seeds=1)
    urgent = _queue(sessions, seeds=1, priority=5)
    _beat(sessions, slots=8)
    assert _ring(sessions) == urgent + old + new


def test_workers_that_have_not_been_seen_for_long_do_not_count(sessions: Sessions) -> None:
    _queue(sessions, seeds=10)
    _beat(sessions, slots=8)
    with sessions.begin() as session:
        session.execute(text("UPDATE workers SET last_seen = now() - interval '1 hour'"))
    assert len(_ring(sessions)) == 1


def test_a_queue_counts_only_the_workers_that_serve_it(sessions: Sessions) -> None:
    _queue(sessions, seeds=10)
    _beat(sessions, slots=8, queues=("cuda",))
    assert len(_ring(sessions)) == 1
