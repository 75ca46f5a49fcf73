"""The `mmix` command as people use it: as a process."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from mmix.embedded import occupied
from tests.conftest import temporary_home
from tests.fleet.conftest import until

MMIX = str(Path(sys.executable).parent / "mmix")
SPEC = """
model: {kind: mlp, hidden: [16]}
data: {kind: digits}
mixing: {kind: manifold_mixup, alpha: 2.0, layers: [0, 1]}
training: {epochs: 2, optimiser: {kind: sgd, weight_decay: 1e-4}}
"""


@pytest.fixture
def home() -> Iterator[Path]:
    with temporary_home() as folder:
        yield folder


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    path = tmp_path / "spec.yaml"
    path.write_text(SPEC)
    return path


def _mmix(*arguments: object, **environment: object) -> subprocess.CompletedProcess[str]:
    values = {**os.environ, **{name: str(value) for name, value in environment.items()}}
    return subprocess.run([MMIX, *map(str, arguments)], capture_output=True, text=True, env=values, timeout=90)


def _says_one_line(found: subprocess.CompletedProcess[str], *, code: int = 1) -> str:
    assert found.returncode == code, found.stderr
    assert "Traceback" not in found.stderr
    (line,) = found.stderr.strip().splitlines()
    return line


def test_json_is_exactly_one_document_and_the_same_each_time(spec: Path, home: Path) -> None:
    first, second = (_mmix("train", spec, "--seed", 3, "--json", "--threads", 1, MMIX_HOME=home) for _ in range(2))
    assert (first.returncode, first.stderr) == (0, "")
    document = json.loads(first.stdout)
    assert set(document) == {"digest", "seed", "results", "provenance"}
    assert set(document["results"]["last"]) >= {"error", "nll", "brier", "fgsm_accuracy@pixel:8/255"}
    assert document["results"] == json.loads(second.stdout)["results"]


def test_training_over_seeds_prints_means_and_spreads(spec: Path, home: Path) -> None:
    found = _mmix("train", spec, "--seeds", "0,1", "--threads", 1, MMIX_HOME=home)
    assert found.returncode == 0, found.stderr
    assert "2 seeds" in found.stdout
    assert "error [%]" in found.stdout
    assert "±" in found.stdout


@pytest.mark.parametrize(
    ("text", "place"),
    [
        (SPEC.replace("alpha: 2.0", "alpha: 0"), "mixing.alpha"),
        (SPEC.replace("layers: [0, 1]", "layers: [0, 5]"), "mixing.layers"),
        (SPEC.replace("kind: digits", "kind: digit"), "data.kind"),
        (SPEC.replace("epochs: 2", "epochs: two"), "training.epochs"),
        ("just words", "the document"),
        ("{", "not YAML"),
        ("", "the document"),
    ],
)
def test_a_bad_spec_is_told_in_one_line_with_its_place(tmp_path: Path, text: str, place: str) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text(text)
    line = _says_one_line(_mmix("train", path), code=2)
    assert str(path) in line
    assert place in line


def test_a_spec_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    assert "none.yaml can't be read" in _says_one_line(_mmix("train", tmp_path / "none.yaml"), code=2)


def test_missing_data_say_where_they_should_lie_and_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "spec.yaml"
    path.write_text(SPEC.replace("kind: digits", "kind: cifar10"))
    line = _says_one_line(_mmix("train", path, "--seed", 0, "--json", MMIX_DATA=tmp_path / "data"))
    assert str(tmp_path / "data" / "cifar10") in line
    assert "mmix data prepare cifar10" in line


@pytest.mark.parametrize("seeds", ["x", "3-1", "1,1", "0-5000", ""])
def test_wrong_seeds_are_wrong_use(spec: Path, seeds: str) -> None:
    found = _mmix("train", spec, "--seeds", seeds)
    assert found.returncode == 2
    assert "Traceback" not in found.stderr


def test_a_taken_port_is_told_in_one_line(home: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        line = _says_one_line(_mmix("up", "--port", port, MMIX_HOME=home))
    assert f"Port {port} can't be had" in line
    assert "--port" in line


def test_a_home_that_is_not_writable_is_told_in_one_line() -> None:
    line = _says_one_line(_mmix("up", "--port", 0, MMIX_HOME="/dev/null/home"))
    assert "MMIX_HOME=/dev/null/home can't be written" in line


def test_an_unreachable_database_is_told_in_one_line(home: Path) -> None:
    url = "postgresql://me:secret@127.0.0.1:9/none"
    for command in (("up", "--port", 0), ("migrate",)):
        line = _says_one_line(_mmix(*command, MMIX_HOME=home, MMIX_DATABASE_URL=url))
        assert "can't be reached" in line
        assert "secret" not in line


def test_an_unreachable_service_is_told_in_one_line() -> None:
    line = _says_one_line(_mmix("leaderboard", MMIX_URL="http://127.0.0.1:9"))
    assert "can't be reached" in line
    assert "mmix up" in line


def test_a_wrong_environment_variable_is_named(home: Path) -> None:
    line = _says_one_line(_mmix("up", "--port", 0, MMIX_HOME=home, MMIX_LEASE_SECONDS="soon"))
    assert "MMIX_LEASE_SECONDS is 'soon'" in line


def test_migrating_an_embedded_database_leaves_no_process(home: Path) -> None:
    found = _mmix("migrate", MMIX_HOME=home)
    assert found.returncode == 0, found.stderr
    assert "stands at migration" in found.stdout
    assert _processes_of(home) == []


def test_data_are_listed(home: Path) -> None:
    found = _mmix("data", "list", MMIX_HOME=home)
    assert found.returncode == 0, found.stderr
    assert "digits" in found.stdout
    assert "1437" in found.stdout


def test_the_schema_is_json() -> None:
    assert json.loads(_mmix("schema").stdout)["title"] == "ExperimentSpec"


def test_submit_local_brings_its_own_service_and_takes_it_away(spec: Path, home: Path) -> None:
    found = _mmix("submit", spec, "--seeds", "0", "--local", MMIX_HOME=home)
    assert found.returncode == 0, found.stderr
    assert "succeeded" in found.stdout
    assert re.search(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12} ", found.stdout), "a run's id is shown whole"
    assert _processes_of(home) == []


def test_submit_local_ends_with_1_and_the_reason_where_a_run_fails(tmp_path: Path, home: Path) -> None:
    path = tmp_path / "spec.yaml"
    path.write_text(SPEC.replace("{kind: digits}", "{kind: folder, name: pets}"))
    for split in ("train", "test"):
        (home / "data" / "folder" / "pets" / split).mkdir(parents=True)
    found = _mmix("submit", path, "--seeds", "0", "--local", MMIX_HOME=home)
    assert found.returncode == 1
    assert "pets/train has 0 class folders and needs two" in " ".join(found.stdout.split())


def test_submit_local_does_not_start_without_the_data(tmp_path: Path, home: Path) -> None:
    path = tmp_path / "spec.yaml"
    path.write_text(SPEC.replace("{kind: digits}", "{kind: folder, name: pets}") + "evaluation: {ood: [{kind: svhn}]}")
    line = _says_one_line(_mmix("submit", path, "--seeds", "0", "--local", MMIX_HOME=home))
    assert f"folder:pets and svhn can't be found under {home / 'data'}" in line
    assert "`mmix data prepare folder pets --from DIR` and `mmix data prepare svhn`" in line
    assert list(home.iterdir()) == []


def test_a_second_service_on_the_same_home_is_refused(home: Path) -> None:

    with occupied(home):
        line = _says_one_line(_mmix("up", "--port", 0, MMIX_HOME=home))
    assert f"is in use by process {os.getpid()}" in line


def test_up_runs_the_demo_serves_its_leaderboard_and_stops_whole(home: Path) -> None:
    with (home / "out.txt").open("w") as out:
        up = subprocess.Popen(
            [MMIX, "up", "--demo", "--port", "0"],
            env={**os.environ, "MMIX_HOME": str(home)},
            stdout=out,
            stderr=subprocess.STDOUT,
        )
    began = time.monotonic()
    try:
        serves = until(lambda: _served(home / "out.txt", up), seconds=120, what="the demo's end")
        rows = httpx.get(f"{serves}/v1/leaderboard", params={"data": "digits"}).json()["items"]
        children = psutil.Process(up.pid).children(recursive=True)
    finally:
        up.send_signal(signal.SIGINT)
        code = up.wait(30)
    assert code == 0
    assert [row["n"] for row in rows] == [3, 3, 3]
    assert {row["spec"]["mixing"]["kind"] for row in rows} == {"erm", "input_mixup", "manifold_mixup"}
    for metric in ("error", "nll", "fgsm_accuracy@pixel:8/255"):
        assert all(0 <= row["metrics"][metric]["mean"] < 1 and row["metrics"][metric]["std"] >= 0 for row in rows)
    assert len(children) >= 4
    assert [child for child in children if _lives(child)] == []
    assert _processes_of(home) == []
    print(f"the demo's leaderboard stood after {time.monotonic() - began:.0f} s")  # noqa: T201


def _served(path: Path, up: subprocess.Popen[bytes]) -> str | None:
    assert up.poll() is None, path.read_text()
    words = path.read_text().split("mmix serves on ")
    return words[1].split()[0] if len(words) == 2 else None


def _lives(process: psutil.Process) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE  # dead, only not yet collected
    except psutil.NoSuchProcess:
        return False


def _processes_of(home: Path) -> list[Any]:
    found = psutil.process_iter(["cmdline", "pid"])
    return [process.info for process in found if str(home) in " ".join(process.info["cmdline"] or [])]


def test_the_doctor_finds_nothing_wrong_with_a_fresh_home(home: Path) -> None:
    found = _mmix("doctor", MMIX_HOME=home)
    assert found.returncode == 0, found.stdout + found.stderr
    assert {line.split()[0] for line in found.stdout.splitlines()} == {"ok"}
    assert "digits" in found.stdout


def test_the_doctor_says_what_is_wrong_and_what_to_do(home: Path) -> None:
    found = _mmix(
        "doctor",
        MMIX_HOME=home,
        MMIX_DATABASE_URL="postgresql://nobody@127.0.0.1:9/none",
        MMIX_REDIS_URL="redis://127.0.0.1:9/0",
    )
    assert found.returncode == 1
    assert "MMIX_DATABASE_URL" in found.stdout
    assert "MMIX_REDIS_URL" in found.stdout
    assert "Traceback" not in found.stdout + found.stderr
