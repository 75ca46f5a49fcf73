"""A run on two devices: it holds both, ends as a leaderboard row, and survives the death of any of its processes."""

import os
import signal
from pathlib import Path
from typing import Any

import psutil
import pytest
from sqlalchemy import text

from mmix.cli.household import Household
from mmix.client import TERMINAL, Client
from mmix.settings import Settings
from mmix.spec.experiment import ExperimentSpec, digest
from mmix.store.sessions import Sessions
from tests.conftest import make_spec
from tests.fleet.conftest import until

START_SECONDS = 60  # torch's agent and two ranks each load torch, on two cores that others use too


def _pair(*, epochs: int, **parts: object) -> ExperimentSpec:
    mixing = {"kind": "manifold_mixup", "alpha": 2.0, "layers": [0, 1]}
    return make_spec(mixing=mixing, training={"epochs": epochs, "devices": 2, "batch_size": 50}, **parts)


def _submit(client: Client, spec: ExperimentSpec) -> str:
    run_id: str = client.submit(spec, seeds=[0])["runs"][0]["id"]
    return run_id


def _ended(client: Client, run_id: str) -> dict[str, Any]:
    def ended() -> dict[str, Any] | None:
        run = client.run(run_id)
        return run if run["state"] in TERMINAL else None

    found: dict[str, Any] = until(ended, seconds=START_SECONDS, what=f"the end of run {run_id}")
    return found


def _agent(settings: Settings, run_id: str, attempt: int) -> psutil.Process:
    """The agent of an attempt, once both its ranks are there; they may still be importing torch."""
    path: Path = settings.scratch_folder / "runs" / run_id / str(attempt) / "pid"
    until(lambda: path.exists() and path.read_text(), seconds=START_SECONDS, what=f"attempt {attempt}")
    agent = psutil.Process(int(path.read_text().split()[0]))
    until(lambda: len(agent.children()) == 2, seconds=START_SECONDS, what="two ranks")
    return agent


def _rank(agent: psutil.Process, number: int) -> psutil.Process:
    return next(child for child in agent.children() if child.environ().get("RANK") == str(number))


def _started(rows: Sessions, run_id: str, attempt: int) -> None:
    query = "SELECT pid FROM attempts WHERE run_id = :id AND n = :n"

    def pid() -> Any:
        with rows.begin() as session:
            return session.scalar(text(query), {"id": run_id, "n": attempt})

    until(pid, seconds=START_SECONDS, what=f"the start of attempt {attempt}")


def _kill(victim: psutil.Process, *, agent: psutil.Process) -> None:
    """Kills one process of an attempt and waits until none of its trainers is left."""
    trainers = [agent, *agent.children(recursive=True)]
    os.kill(victim.pid, signal.SIGKILL)
    until(lambda: not any(map(_lives, trainers)), seconds=3, what="the end of all ranks and their agent")


def _lives(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _outcomes(rows: Sessions, run_id: str) -> list[str]:
    query = "SELECT outcome FROM attempts WHERE run_id = :id ORDER BY n"
    with rows.begin() as session:
        return [row.outcome for row in session.execute(text(query), {"id": run_id})]


def _holders(rows: Sessions) -> dict[str, str | None]:
    with rows.begin() as session:
        found = session.execute(text("SELECT uuid, run_id FROM devices ORDER BY uuid"))
        return {row.uuid: row.run_id and str(row.run_id) for row in found}


@pytest.mark.timeout(240)
def test_a_run_on_two_devices_shares_them_with_nobody_and_ends_as_a_leaderboard_row(
    client: Client, rows: Sessions
) -> None:
    pair = _submit(client, _pair(epochs=2))
    until(lambda: _holders(rows) == {"cpu-0": pair, "cpu-1": pair}, seconds=20, what="a claim of both devices")
    single = _submit(client, make_spec())
    ended = _ended(client, pair)
    assert (ended["state"], ended["failure"]) == ("succeeded", None)
    assert _ended(client, single)["state"] == "succeeded"
    with rows.begin() as session:
        query = (
            "SELECT min(s.started_at) >= max(p.finished_at) FROM runs s, runs p WHERE s.id = :single AND p.id = :pair"
        )
        assert session.scalar(text(query), {"single": single, "pair": pair})
    assert _holders(rows) == {"cpu-0": None, "cpu-1": None}
    standing = {row["group"]: row["n"] for row in client.leaderboard()["items"]}
    assert standing[digest(_pair(epochs=2))] == 1


@pytest.mark.timeout(400)
def test_whichever_process_is_killed_none_outlives_it_and_the_run_is_taken_up_again(
    house: Household, client: Client, rows: Sessions, shared: Settings
) -> None:
    run_id = _submit(client, _pair(epochs=40))
    agent = _agent(shared, run_id, 1)
    _kill(agent, agent=agent)

    agent = _agent(shared, run_id, 2)
    _started(rows, run_id, 2)
    _kill(_rank(agent, 1), agent=agent)

    agent = _agent(shared, run_id, 3)
    _kill(_rank(agent, 0), agent=agent)

    agent = _agent(shared, run_id, 4)
    supervisor = agent.parent()
    assert supervisor is not None
    assert supervisor.pid != house.pids()["worker"]
    _kill(supervisor, agent=agent)

    ended = _ended(client, run_id)
    assert (ended["state"], ended["failure"]) == ("succeeded", None)
    assert _outcomes(rows, run_id) == ["lost", "lost", "lost", "lost", "succeeded"]
    assert _holders(rows) == {"cpu-0": None, "cpu-1": None}


@pytest.mark.timeout(120)
def test_what_is_wrong_on_every_rank_is_told_as_on_one_device(client: Client) -> None:
    failed = _ended(client, _submit(client, _pair(epochs=1, data={"kind": "digits", "train_size": 5000})))
    assert failed["failure"]["class"] == "bad_spec"
    assert failed["failure"]["message"].startswith("data.train_size is 5000")
    assert "Rank" not in failed["failure"]["message"]
