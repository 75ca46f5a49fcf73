"""Which devices a trainer may see, on a worker that pretends to have two GPUs."""

from collections.abc import Iterator
from typing import Any

import psutil
import pytest
from sqlalchemy import text

from mmix.cli.household import Household, opened
from mmix.client import TERMINAL, Client
from mmix.settings import Settings
from mmix.store.sessions import Sessions
from tests.conftest import make_spec
from tests.fleet.conftest import until


@pytest.fixture(scope="module")
def shared_house(shared: Settings) -> Iterator[Household]:
    """A household whose worker has two devices of kind cuda, and trains on the processor."""
    with opened(shared.model_copy(update={"fake_gpus": 2, "nursery": False}), port=0) as made:
        yield made


def _started(rows: Sessions, run_id: str) -> psutil.Process:
    def pid() -> Any:
        with rows.begin() as session:
            return session.scalar(text("SELECT pid FROM attempts WHERE run_id = :id"), {"id": run_id})

    return psutil.Process(until(pid, seconds=60, what=f"the start of run {run_id}"))


def _visible(process: psutil.Process) -> str:
    found: str = process.environ()["CUDA_VISIBLE_DEVICES"]
    return found


def _long(client: Client, *, devices: int = 1, seeds: tuple[int, ...] = (0,), device: str = "cuda") -> list[str]:
    spec = make_spec(training={"epochs": 5000, "devices": devices})
    made: dict[str, Any] = client.submit(spec, seeds=list(seeds), device=device)
    return [run["id"] for run in made["runs"]]


def _cancel(client: Client, run_id: str) -> None:
    client.cancel_run(run_id)
    until(lambda: client.run(run_id)["state"] in TERMINAL, seconds=20, what="the end of the cancelled run")


@pytest.mark.timeout(120)
def test_two_runs_at_once_see_a_device_each(client: Client, rows: Sessions) -> None:
    first, second = _long(client, seeds=(0, 1))
    seen = {_visible(_started(rows, first)), _visible(_started(rows, second))}
    _cancel(client, first)
    _cancel(client, second)
    assert seen == {"GPU-fake-0", "GPU-fake-1"}


@pytest.mark.timeout(120)
def test_a_run_that_asks_for_the_processor_sees_no_gpu(client: Client, rows: Sessions) -> None:
    (run_id,) = _long(client, device="cpu")
    seen = _visible(_started(rows, run_id))
    _cancel(client, run_id)
    assert seen == ""


@pytest.mark.timeout(120)
def test_the_ranks_of_a_cancelled_run_saw_both_devices_and_all_end(client: Client, rows: Sessions) -> None:
    (run_id,) = _long(client, devices=2)
    agent = _started(rows, run_id).parent()
    assert agent is not None
    ranks = agent.children()
    seen = [_visible(rank) for rank in ranks]
    _cancel(client, run_id)
    assert seen == ["GPU-fake-0,GPU-fake-1"] * 2
    until(lambda: not any(rank.is_running() for rank in [agent, *ranks]), seconds=3, what="the end of all ranks")
    assert client.run(run_id)["state"] == "cancelled"


@pytest.mark.timeout(120)
def test_a_run_that_is_cancelled_while_its_trainer_starts_is_not_waited_for(client: Client) -> None:
    (run_id,) = _long(client)
    until(lambda: client.run(run_id)["state"] == "running", seconds=20, what="the claim")
    _cancel(client, run_id)
    assert client.run(run_id)["state"] == "cancelled"
