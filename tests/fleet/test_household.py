"""An experiment goes all the way, and comes back from the dead, through real processes."""

import os
import signal
import subprocess
import sys
from itertools import product
from pathlib import Path
from typing import Any

import psutil
import pytest
from PIL import Image
from sqlalchemy import text

from mmix import run as laboratory
from mmix.cli.household import Household
from mmix.client import TERMINAL, Client
from mmix.data.prepare import prepare
from mmix.errors import ServiceError
from mmix.settings import Settings
from mmix.spec.experiment import ExperimentSpec, digest
from mmix.store import workers
from mmix.store.sessions import Sessions
from tests.conftest import make_spec, new_worker
from tests.fleet.conftest import LEASE_SECONDS, until
from worker import processes

MANIFOLD = {"kind": "manifold_mixup", "alpha": 2.0, "layers": [0, 1]}
QUICK = make_spec(mixing=MANIFOLD, evaluation={"attacks": [{"kind": "fgsm", "eps": [8]}], "artifacts": ["logits"]})
LONG = make_spec(mixing=MANIFOLD, training={"epochs": 2000})
MIDDLING = make_spec(
    model={"kind": "mlp", "hidden": [256, 256]}, mixing=MANIFOLD, training={"epochs": 60, "batch_size": 50}
)


def _ended(client: Client, run_id: str, *, seconds: float = 60) -> dict[str, Any]:
    def ended() -> dict[str, Any] | None:
        run = client.run(run_id)
        return run if run["state"] in TERMINAL else None

    found: dict[str, Any] = until(ended, seconds=seconds, what=f"the end of run {run_id}")
    return found


def _submit(client: Client, spec: ExperimentSpec, *, seed: int = 0) -> str:
    run_id: str = client.submit(spec, seeds=[seed])["runs"][0]["id"]
    return run_id


def _attempts(rows: Sessions, run_id: str) -> list[Any]:
    query = "SELECT n, pid, first_epoch, outcome, error FROM attempts WHERE run_id = :id ORDER BY n"
    with rows.begin() as session:
        return list(session.execute(text(query), {"id": run_id}))


def _pid(rows: Sessions, run_id: str) -> int:
    found: int = until(lambda: [a.pid for a in _attempts(rows, run_id) if a.pid], seconds=30, what="a trainer")[-1]
    return found


def _gone(pid: int) -> bool:
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


def test_a_run_over_rest_has_the_very_metrics_of_a_run_without_a_service(client: Client, shared: Settings) -> None:
    run_id = _submit(client, QUICK, seed=3)
    through_service = _ended(client, run_id)
    *_, alone = laboratory.run(QUICK, 3, places=laboratory.Places(data=shared.data_folder), threads=1)
    assert isinstance(alone, laboratory.Finished)
    assert through_service["state"] == "succeeded"
    assert through_service["results"] == alone.results
    for name in ("data_checksum", "train_images", "torch", "threads", "diagnostics"):
        assert through_service["provenance"][name] == alone.provenance[name]
    assert through_service["progress"]["epoch"] == through_service["progress"]["epochs"] == 2
    assert (Path(shared.artifacts_place) / "runs" / run_id / "1" / "artifacts" / "logits.safetensors").is_file()
    standing = {row["group"]: row["n"] for row in client.leaderboard()["items"]}
    assert standing[digest(QUICK)] == 1


def test_a_worker_killed_in_mid_run_costs_nothing(house: Household, client: Client, rows: Sessions) -> None:
    undisturbed = _ended(client, _submit(client, MIDDLING))
    run_id = _submit(client, MIDDLING)
    trainer = _pid(rows, run_id)
    until(lambda: client.run(run_id)["progress"]["epoch"] >= 2, seconds=30, what="two epochs")
    os.kill(house.pids()["worker"], signal.SIGKILL)
    until(lambda: _gone(trainer), seconds=5, what="the end of the orphaned trainer")

    def ended() -> dict[str, Any] | None:
        house.tend()  # as `mmix up` does: the worker is started again
        run = client.run(run_id)
        return run if run["state"] in TERMINAL else None

    resumed = until(ended, seconds=60, what="the end of the resumed run")
    first, second = _attempts(rows, run_id)
    assert resumed["results"] == undisturbed["results"]
    assert (first.outcome, second.outcome) == ("lost", "succeeded")
    assert second.pid != first.pid
    assert second.first_epoch > 1
    standing = {row["group"]: row["n"] for row in client.leaderboard()["items"]}
    assert standing[digest(MIDDLING)] == 1  # both runs have the same seed, and a seed counts once


def test_a_worker_that_starts_ends_the_trainer_of_an_attempt_that_is_over(
    house: Household, client: Client, shared: Settings
) -> None:
    run_id = _submit(client, make_spec(data={"kind": "digits", "train_size": 5000}))
    assert _ended(client, run_id)["state"] == "failed"
    stuck = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    note = shared.scratch_folder / "runs" / run_id / "1" / "pid"
    note.parent.mkdir(parents=True, exist_ok=True)
    note.write_text(str(processes.find(stuck.pid)))
    os.kill(house.pids()["worker"], signal.SIGKILL)

    def ended() -> int | None:
        house.tend()
        return stuck.poll()

    assert until(ended, seconds=20, what="the end of the orphan") == -signal.SIGKILL


def test_a_trainer_killed_in_mid_run_is_started_again(client: Client, rows: Sessions) -> None:
    run_id = _submit(client, MIDDLING)
    trainer = _pid(rows, run_id)
    until(lambda: client.run(run_id)["progress"]["epoch"] >= 2, seconds=30, what="two epochs")
    os.kill(trainer, signal.SIGKILL)
    assert _ended(client, run_id)["state"] == "succeeded"
    first, second = _attempts(rows, run_id)
    assert (first.outcome, second.outcome) == ("lost", "succeeded")
    assert "signal 9" in first.error
    assert second.first_epoch > 1
    before, after = ([line["line"] for line in client.log(run_id, attempt=n)] for n in (1, 2))
    assert before[0] == "training on cpu, 1 thread, fresh, of 60 epochs"
    assert before[2].startswith("epoch 2/60, train_loss ")
    assert after[0] == f"training on cpu, 1 thread, resumed after epoch {second.first_epoch - 1}, of 60 epochs"
    assert after[-1].startswith("finished, error ")


def test_a_running_run_tells_how_it_goes(house: Household, client: Client) -> None:
    run_id = _submit(client, LONG)
    follower = _start_mmix(house, "log", run_id, "--follow")

    def told() -> dict[str, Any] | None:
        run = client.run(run_id)
        return run if run["progress"]["seconds_left"] else None

    run = until(told, seconds=30, what="the first epoch")
    curves = client.curves(run_id)["curves"]
    (attempt,) = client.attempts(run_id)["items"]
    assert run["state"] == "running"
    assert run["progress"]["images_per_second"] > 0
    assert [epoch for epoch, _ in curves["error"]][:1] == [1]
    assert attempt["last_step"] >= attempt["last_epoch"] >= 1
    assert " images/s, 0:" in _mmix(house, "show", run_id)
    client.cancel_run(run_id)
    printed, _ = follower.communicate(timeout=30)
    lines = printed.splitlines()
    assert lines[0] == "training on cpu, 1 thread, fresh, of 2000 epochs"
    assert lines[1].startswith("epoch 1/2000, train_loss ")
    assert lines[-1].startswith("stopped as asked, after epoch ")


def test_a_running_run_can_be_cancelled(client: Client, rows: Sessions) -> None:
    run_id = _submit(client, LONG)
    trainer = _pid(rows, run_id)
    assert client.cancel_run(run_id)["state"] == "cancelling"
    cancelled = _ended(client, run_id, seconds=10)
    assert (cancelled["state"], cancelled["results"]) == ("cancelled", {})
    until(lambda: _gone(trainer), seconds=5, what="the end of the trainer")
    assert [attempt.outcome for attempt in _attempts(rows, run_id)] == ["cancelled"]


def test_a_run_that_takes_too_long_fails_and_says_so(client: Client) -> None:
    made = client.submit(LONG, seeds=[0], max_runtime_seconds=3)
    failed = _ended(client, made["runs"][0]["id"], seconds=30)
    assert failed["failure"] == {
        "class": "timeout",
        "message": "The run took longer than its max_runtime_seconds, 3",
    }


def test_a_run_waits_with_advice_and_is_trained_once_its_data_are_there(
    house: Household, client: Client, shared: Settings, rows: Sessions, tmp_path: Path
) -> None:
    spec = make_spec(data={"kind": "folder", "name": "birds"})
    (tmp_path / "spec.json").write_text(spec.model_dump_json())
    submitted = _start_mmix(house, "submit", str(tmp_path / "spec.json"), "--seeds", "0", "--wait")
    (waiting,) = until(lambda: client.queue(limit=9)["items"], seconds=30, what="a run that waits")
    assert _ended(client, _submit(client, QUICK))["state"] == "succeeded"
    advice = "no worker has folder:birds: run `mmix data prepare folder birds --from DIR` on one"
    assert [run["reason"] for run in client.queue(limit=9)["items"]] == [advice]
    for split, name in product(("train", "test"), ("red", "blue")):
        (tmp_path / "birds" / split / name).mkdir(parents=True)
        Image.new("RGB", (6, 5), name).save(tmp_path / "birds" / split / name / "1.png")
    prepare("folder", "birds", source=tmp_path / "birds", download=False, data_folder=shared.data_folder)
    run = _ended(client, waiting["id"])
    assert (run["state"], [attempt.n for attempt in _attempts(rows, run["id"])]) == ("succeeded", [1])
    told = [worker["data"].get("folder:birds") for worker in client.workers()["items"]]
    assert run["provenance"]["data_checksum"] in told
    _, said = submitted.communicate(timeout=30)
    assert (submitted.returncode, said.count(f"waits: {advice}")) == (0, 1)


def test_a_broken_image_fails_its_run_and_is_named(client: Client, shared: Settings) -> None:
    folder = shared.data_folder / "folder" / "pets"
    for split in ("train", "test"):
        for name in ("cat", "dog"):
            (folder / split / name).mkdir(parents=True)
            (folder / split / name / "1.png").write_bytes(b"\x89PNG\r\n\x1a\n and then nothing")
    failed = _ended(client, _submit(client, make_spec(data={"kind": "folder", "name": "pets"})))
    assert failed["failure"]["class"] == "bad_data"
    assert "1.png" in failed["failure"]["message"]
    assert "Traceback" not in failed["failure"]["message"]


def test_a_frozen_supervisor_does_not_keep_its_run(house: Household, client: Client, rows: Sessions) -> None:
    run_id = _submit(client, MIDDLING)
    trainer = psutil.Process(_pid(rows, run_id))
    supervisors = [each for each in psutil.Process(house.pids()["worker"]).children() if "spawn" in str(each.cmdline())]
    assert supervisors
    until(lambda: client.run(run_id)["progress"]["epoch"] >= 1, seconds=30, what="one epoch")
    for supervisor in supervisors:
        supervisor.suspend()
    try:
        until(lambda: _gone(trainer.pid), seconds=LEASE_SECONDS + 2, what="the end of the unattended trainer")
        until(lambda: client.run(run_id)["state"] == "queued", seconds=20, what="the lapse of the lease")
    finally:
        for supervisor in supervisors:
            supervisor.resume()
    assert _ended(client, run_id)["state"] == "succeeded"
    outcomes = [attempt.outcome for attempt in _attempts(rows, run_id)]
    assert outcomes == ["lost", "succeeded"]


def test_the_client_says_what_the_service_refused(client: Client) -> None:
    with pytest.raises(ServiceError, match="refused with 404: There is no run"):
        client.run("01890a5d-ac96-774b-bcce-b302099a8057")


def _mmix(house: Household, *arguments: str) -> str:
    with _start_mmix(house, *arguments) as process:
        printed, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    return printed


def _start_mmix(house: Household, *arguments: str) -> "subprocess.Popen[str]":
    command = [str(Path(sys.executable).parent / "mmix"), *arguments]
    environment = {**os.environ, "MMIX_URL": house.url, "COLUMNS": "200"}
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)


def test_the_terminal_warns_of_workers_whose_data_differ(house: Household, rows: Sessions) -> None:
    with rows.begin() as session:
        both = [new_worker(session, data={"svhn": digit * 64}) for digit in "12"]
    with _start_mmix(house, "queue") as process:
        printed, said = process.communicate(timeout=60)
    with rows.begin() as session:
        for worker in both:
            workers.leave(session, worker_id=worker)
    assert printed.count("svhn") == 2
    assert all(f"{digit * 12} at here ({worker})" in said for digit, worker in zip("12", both, strict=True))


def test_the_terminal_tells_what_waits_and_runs_again_what_was_cancelled(house: Household, client: Client) -> None:
    made = client.submit(QUICK, seeds=[0], device="cuda")
    (run,) = made["runs"]
    queue = _mmix(house, "queue")
    assert run["id"] in queue
    assert "no worker has a device of kind 'cuda'" in queue
    assert _mmix(house, "cancel", run["id"]).strip() == "cancelled"
    again = _mmix(house, "retry", made["id"]).strip()
    assert client.run(again)["retry_of"] == run["id"]
    assert made["id"] in _mmix(house, "list")
    assert _mmix(house, "cancel", made["id"]).strip() == "cancelled"
