"""A run goes on at a worker that shares nothing with the one that died but the place of artifacts."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import safetensors.numpy
from sqlalchemy import text

from mmix import embedded
from mmix.cli.household import Household
from mmix.client import TERMINAL, Client
from mmix.parentage import bound_command
from mmix.settings import Settings
from mmix.store.sessions import Sessions
from tests.conftest import at, database, make_spec, temporary_home
from tests.fleet.conftest import hasty, until

SPEC = make_spec(
    model={"kind": "mlp", "hidden": [256, 256]},
    mixing={"kind": "manifold_mixup", "alpha": 2.0, "layers": [0, 1]},
    training={"epochs": 60, "batch_size": 50},
    evaluation={"attacks": [], "artifacts": ["logits"]},
)


@pytest.fixture(scope="module")
def bucket() -> Iterator[Path]:
    """The folder behind the URL where artifacts go."""
    with temporary_home() as folder:
        yield folder


@pytest.fixture(scope="module")
def shared(servers: Settings, template: str, bucket: Path) -> Iterator[Settings]:
    """As for other households, with artifacts at a URL."""
    with (
        temporary_home() as home,
        database(servers, template=template) as name,
        embedded.redis_server(home / "redis") as redis_url,
    ):
        own = {"home": home, "artifacts": bucket.as_uri()}
        yield hasty(at(servers, name).model_copy(update=own), redis_url=redis_url)


@pytest.fixture
def other_disk() -> Iterator[Path]:
    with temporary_home() as folder:
        yield folder


def _worker(settings: Settings, *, disk: Path) -> "subprocess.Popen[bytes]":
    """A worker with a disk of its own."""
    own = settings.model_copy(update={"home": disk / "home", "scratch": disk / "scratch"})
    values = {f"MMIX_{name.upper()}": str(value) for name, value in own.model_dump().items() if value is not None}
    with (disk / "worker.log").open("wb") as log:
        return subprocess.Popen(
            bound_command(sys.executable, "-m", "worker.main"),
            stdout=log,
            stderr=log,
            start_new_session=True,
            env={**os.environ, **values},
        )


def _ended(client: Client, run_id: str) -> dict[str, Any]:
    def ended() -> dict[str, Any] | None:
        run = client.run(run_id)
        return run if run["state"] in TERMINAL else None

    found: dict[str, Any] = until(ended, seconds=60, what=f"the end of run {run_id}")
    return found


def _registered(rows: Sessions, run_id: str) -> list[str]:
    query = "SELECT place FROM checkpoints WHERE run_id = :id ORDER BY attempt, epoch"
    with rows.begin() as session:
        return list(session.scalars(text(query), {"id": run_id}))


def _submit(client: Client) -> str:
    run_id: str = client.submit(SPEC, seeds=[0])["runs"][0]["id"]
    return run_id


def _logits(client: Client, run_id: str, *, to: Path) -> npt.NDArray[np.float32]:
    client.fetch_artifact(run_id, "logits.safetensors", to=to)
    found: npt.NDArray[np.float32] = safetensors.numpy.load_file(to)["logits"]
    return found


def test_a_run_killed_on_one_disk_ends_on_another_with_the_very_same_results(
    house: Household, client: Client, rows: Sessions, shared: Settings, bucket: Path, other_disk: Path
) -> None:
    run_id = _submit(client)
    until(lambda: len(_registered(rows, run_id)) == 2, seconds=30, what="two registered checkpoints")
    os.killpg(house.pids()["worker"], signal.SIGKILL)
    worker = _worker(shared, disk=other_disk)
    undisturbed_id = _submit(client)
    try:
        resumed, undisturbed = _ended(client, run_id), _ended(client, undisturbed_id)
        until(lambda: len(_registered(rows, run_id)) == 1, seconds=10, what="the deletion of older checkpoints")
    finally:
        os.killpg(worker.pid, signal.SIGKILL)
        worker.wait()

    first, second = client.attempts(run_id)["items"]
    assert (first["outcome"], second["outcome"]) == ("lost", "succeeded")
    assert second["first_epoch"] > 1
    assert first["worker"] != second["worker"]
    assert resumed["results"] == undisturbed["results"]

    kept = [f"{run_id}/2/checkpoints/epoch-000060{suffix}" for suffix in (".json", ".safetensors")]
    left = [f"{run_id}/2/artifacts/logits.safetensors", *kept]
    assert sorted(str(path.relative_to(bucket / "runs")) for path in bucket.glob(f"runs/{run_id}/**/*.*")) == left
    assert _registered(rows, run_id) == [f"{bucket.as_uri()}/runs/{kept[1]}"]
    assert not list((other_disk / "scratch").rglob("*.safetensors"))
    resumed_logits, undisturbed_logits = (
        _logits(client, each, to=other_disk / each) for each in (run_id, undisturbed_id)
    )
    assert np.array_equal(resumed_logits, undisturbed_logits)
