"""What the database itself refuses, whoever asks."""

from collections.abc import Iterator
from itertools import product
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, IntegrityError

from mmix.settings import Settings
from mmix.store import experiments
from mmix.store import sessions as store
from mmix.store.experiments import Wish
from mmix.store.sessions import Sessions
from mmix.store.states import BORN, OWNED, STATES, TERMINAL, TRANSITIONS, State
from tests.conftest import at, database, make_spec

ALLOWED = [(old, new) for old in STATES for new in sorted(TRANSITIONS[old])]
FORBIDDEN = [(old, new) for old, new in product(STATES, STATES) if old != new and new not in TRANSITIONS[old]]
WAY_TO: dict[State, tuple[State, ...]] = {
    "blocked": (),
    "queued": ("queued",),
    "running": ("queued", "running"),
    "retry_wait": ("queued", "running", "retry_wait"),
    "cancelling": ("queued", "running", "cancelling"),
    "succeeded": ("queued", "running", "succeeded"),
    "failed": ("failed",),
    "cancelled": ("cancelled",),
}


@pytest.fixture(scope="module")
def sessions(servers: Settings, template: str) -> Iterator[Sessions]:
    """One database for all of these tests, which look at runs of their own."""
    with database(servers, template=template) as name:
        engine = store.engine(at(servers, name))
        yield store.sessions(engine)
        engine.dispose()


@pytest.fixture
def blocked(sessions: Sessions) -> UUID:
    """A run that waits for another."""
    with sessions.begin() as session:
        first = experiments.create(session, owner="local", spec=make_spec(), wish=Wish(seeds=(0,)))
        made = experiments.create(session, owner="local", spec=make_spec(), wish=Wish(seeds=(1,), after=(first,)))
        return experiments.get(session, owner="local", experiment_id=made).runs[0].id


def put(sessions: Sessions, run_id: UUID, state: State) -> None:
    """Writes a state by hand, with all that the other constraints want of it."""
    with sessions.begin() as session:
        session.execute(
            text(
                "UPDATE runs SET state = :state, lease_until = CASE WHEN :owned THEN now() END,"
                " finished_at = CASE WHEN :ended THEN now() END, not_before = now(),"
                " failure_class = CASE WHEN :state = 'failed' THEN 'by hand' END,"
                " attempt = attempt + (state = 'queued' AND :state = 'running')::int WHERE id = :id"
            ),
            {"state": state, "owned": state in OWNED, "ended": state in TERMINAL, "id": run_id},
        )


def bring(sessions: Sessions, run_id: UUID, state: State) -> None:
    for step in WAY_TO[state]:
        put(sessions, run_id, step)


def state_of(sessions: Sessions, run_id: UUID) -> str:
    with sessions.begin() as session:
        return str(session.scalar(text("SELECT state FROM runs WHERE id = :id"), {"id": run_id}))


@pytest.mark.parametrize(("old", "new"), ALLOWED)
def test_the_database_admits_every_way_that_the_code_knows(
    sessions: Sessions, blocked: UUID, old: State, new: State
) -> None:
    bring(sessions, blocked, old)
    put(sessions, blocked, new)
    assert state_of(sessions, blocked) == new


@pytest.mark.parametrize(("old", "new"), FORBIDDEN)
def test_the_database_refuses_every_other_way(sessions: Sessions, blocked: UUID, old: State, new: State) -> None:
    bring(sessions, blocked, old)
    with pytest.raises(IntegrityError, match=f"may not go from {old} to {new}"):
        put(sessions, blocked, new)
    assert state_of(sessions, blocked) == old


@pytest.mark.parametrize("state", [state for state in STATES if state not in BORN])
def test_a_run_begins_in_no_other_state(sessions: Sessions, blocked: UUID, state: State) -> None:
    copy = (
        "INSERT INTO runs (id, experiment_id, owner, digest, seed, priority, device, state, retry_of)"
        " SELECT gen_random_uuid(), experiment_id, owner, digest, seed, priority, device, :state, id"
        " FROM runs WHERE id = :id"
    )
    refusal = f"begins blocked or queued, without an attempt, not {state}"
    with pytest.raises(IntegrityError, match=refusal), sessions.begin() as session:
        session.execute(text(copy), {"state": state, "id": blocked})


@pytest.mark.parametrize("change", ["attempt + 1", "attempt - 1", "attempt + 2"])
@pytest.mark.parametrize("state", STATES)
def test_the_fencing_token_moves_with_a_claim_and_never_otherwise(
    sessions: Sessions, blocked: UUID, state: State, change: str
) -> None:
    bring(sessions, blocked, state)
    with pytest.raises(IntegrityError), sessions.begin() as session:
        session.execute(text(f"UPDATE runs SET attempt = {change} WHERE id = :id"), {"id": blocked})


def test_a_claim_without_a_new_attempt_is_refused(sessions: Sessions, blocked: UUID) -> None:
    bring(sessions, blocked, "queued")
    with pytest.raises(IntegrityError, match="from attempt 0 to 0"), sessions.begin() as session:
        session.execute(text("UPDATE runs SET state = 'running', lease_until = now() WHERE id = :id"), {"id": blocked})


def test_every_change_of_state_is_noted_with_who_did_it(sessions: Sessions, blocked: UUID) -> None:
    with sessions.begin() as session:
        session.execute(text("SET LOCAL mmix.actor = 'somebody'"))
        session.execute(text("UPDATE runs SET state = 'queued' WHERE id = :id"), {"id": blocked})
    put(sessions, blocked, "running")
    with sessions.begin() as session:
        told = session.execute(
            text("SELECT actor, action, kind, before, after FROM audit WHERE object_id = :id ORDER BY id"),
            {"id": blocked},
        ).all()
    assert [(row.action, row.kind) for row in told] == [("create", "run"), ("state", "run"), ("state", "run")]
    assert [row.before and row.before["state"] for row in told] == [None, "blocked", "queued"]
    assert [row.after["state"] for row in told] == ["blocked", "queued", "running"]
    assert [row.after["attempt"] for row in told] == [0, 0, 1]
    assert [row.actor for row in told] == ["mmix", "somebody", "mmix"]


@pytest.mark.parametrize("change", ["UPDATE audit SET actor = 'nobody'", "DELETE FROM audit", "TRUNCATE audit"])
def test_what_was_noted_stays(sessions: Sessions, blocked: UUID, change: str) -> None:
    with pytest.raises(DBAPIError, match="only ever added to"), sessions.begin() as session:
        session.execute(text(change))
