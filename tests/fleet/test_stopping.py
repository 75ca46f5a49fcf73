"""Runs that are asked to stop: at once by a call of the database, and with nothing lost when their worker must go."""

import os
import signal
from typing import Any

import pytest
from sqlalchemy import text

from mmix.cli.household import Household, opened
from mmix.client import TERMINAL, Client
from mmix.settings import Settings
from mmix.store import sessions as store
from mmix.store.sessions import Sessions
from tests.conftest import make_spec
from tests.fleet.conftest import until

LONG = make_spec(training={"epochs": 3000})
MIDDLING = make_spec(model={"kind": "mlp", "hidden": [256, 256]}, training={"epochs": 60, "batch_size": 50})


@pytest.fixture
def patient(short: Settings) -> Settings:
    """Leases that are renewed so rarely that a call is all that can be quick."""
    return short.model_copy(update={"lease_seconds": 120.0, "renewal_seconds": 60.0, "slots": 1})


def attempts(sessions: Sessions, run_id: str) -> list[Any]:
    with sessions.begin() as session:
        query = (
            "SELECT a.outcome, a.first_epoch, a.last_epoch, r.losses "
            "FROM attempts a JOIN runs r ON r.id = run_id WHERE r.id = :id"
        )
        return list(session.execute(text(query + " ORDER BY n"), {"id": run_id}))


def begun(client: Client, run_id: str) -> None:
    until(lambda: client.run(run_id)["progress"]["epoch"] >= 2, seconds=40, what="two epochs")


def ended(house: Household, client: Client, run_id: str, *, seconds: float) -> dict[str, Any]:
    def look() -> dict[str, Any] | None:
        house.tend()  # as `mmix up` does: a worker that ended is started again
        run = client.run(run_id)
        return run if run["state"] in TERMINAL else None

    found: dict[str, Any] = until(look, seconds=seconds, what=f"the end of run {run_id}")
    return found


def test_stopping_is_heard_at_once_and_costs_a_run_nothing(patient: Settings) -> None:
    engine = store.engine(patient)
    sessions = store.sessions(engine)
    with opened(patient, port=0) as house, Client(house.url) as client:
        cancelled = client.submit(LONG, seeds=[0])["runs"][0]["id"]
        begun(client, cancelled)
        client.cancel_run(cancelled)
        assert ended(house, client, cancelled, seconds=5)["state"] == "cancelled"

        undisturbed = client.submit(MIDDLING, seeds=[0])["runs"][0]["id"]
        expected = ended(house, client, undisturbed, seconds=60)["results"]
        given_back = client.submit(MIDDLING, seeds=[0])["runs"][0]["id"]
        begun(client, given_back)
        os.kill(house.pids()["worker"], signal.SIGTERM)
        found = ended(house, client, given_back, seconds=60)
        first, second = attempts(sessions, given_back)
    engine.dispose()
    assert found["results"] == expected
    assert (first.outcome, second.outcome, second.losses) == ("preempted", "succeeded", 0)
    assert second.first_epoch == first.last_epoch + 1 > 2  # no epoch is done twice
