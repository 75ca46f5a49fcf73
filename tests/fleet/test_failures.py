"""A run that would fail again fails at once: one attempt, a class that says why, nothing on the leaderboard."""

import os
import resource
from collections.abc import Iterator
from typing import Any

import psutil
import pytest
from sqlalchemy import text

from mmix.cli.household import Household
from mmix.client import TERMINAL, Client
from mmix.spec.experiment import ExperimentSpec, digest
from mmix.store.sessions import Sessions
from tests.conftest import make_spec
from tests.fleet.conftest import until

DIVERGES = make_spec(training={"epochs": 2, "loss": "mse", "optimiser": {"kind": "sgd", "lr": 100}})
ASKS_TOO_MUCH = make_spec(data={"kind": "digits", "train_size": 5000})
NEEDS_A_GIBIBYTE = make_spec(model={"kind": "mlp", "hidden": [16384, 16384]}, training={"epochs": 1})
SPARE_BYTES = 800 * 2**20


@pytest.fixture
def short_of_memory(house: Household) -> Iterator[None]:
    """A nursery whose children get less than another gibibyte from the kernel."""
    (nursery,) = [
        child for child in psutil.Process(house.pids()["worker"]).children() if "worker.nursery" in child.cmdline()
    ]
    until(lambda: os.path.exists(nursery.cmdline()[-1]), seconds=30, what="a nursery that serves")
    before = nursery.rlimit(resource.RLIMIT_AS)
    nursery.rlimit(resource.RLIMIT_AS, (nursery.memory_info().vms + SPARE_BYTES, before[1]))
    yield
    nursery.rlimit(resource.RLIMIT_AS, before)


def _failed(client: Client, rows: Sessions, spec: ExperimentSpec) -> dict[str, Any]:
    """Why it failed, once all else that a failure promises has been checked."""
    run_id: str = client.submit(spec, seeds=[0])["runs"][0]["id"]
    until(lambda: client.run(run_id)["state"] in TERMINAL, seconds=60, what=f"the end of run {run_id}")
    run: dict[str, Any] = client.run(run_id)
    assert (run["state"], run["results"]) == ("failed", {})
    with rows.begin() as session:
        query = "SELECT outcome FROM attempts WHERE run_id = :id ORDER BY n"
        assert [row.outcome for row in session.execute(text(query), {"id": run_id})] == ["failed"]
        assert session.scalar(text("SELECT count(*) FROM results WHERE run_id = :id"), {"id": run_id}) == 0
        query = "SELECT count(*) FROM leaderboard WHERE digest = :digest"
        assert session.scalar(text(query), {"digest": digest(spec)}) == 0
        assert session.scalar(text("SELECT count(*) FROM devices WHERE run_id = :id"), {"id": run_id}) == 0
    failure: dict[str, Any] = run["failure"]
    return failure


@pytest.mark.usefixtures("short_of_memory")
def test_a_run_that_finds_too_little_memory_is_not_tried_again(client: Client, rows: Sessions) -> None:
    failure = _failed(client, rows, NEEDS_A_GIBIBYTE)
    assert failure["class"] == "out_of_memory"
    assert "use a smaller batch_size or a smaller model" in failure["message"]


def test_a_run_whose_loss_is_no_number_any_more_is_not_tried_again(client: Client, rows: Sessions) -> None:
    failure = _failed(client, rows, DIVERGES)
    assert failure["class"] == "diverged"
    assert "lower training.optimiser.lr" in failure["message"]


def test_a_run_that_asks_for_what_cannot_be_is_not_tried_again(client: Client, rows: Sessions) -> None:
    failure = _failed(client, rows, ASKS_TOO_MUCH)
    assert failure["class"] == "bad_spec"
    assert "data.train_size is 5000: it must lie between 10 (one image a class) and 1437" in failure["message"]
