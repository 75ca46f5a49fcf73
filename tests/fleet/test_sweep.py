"""Trainers that outlived their attempt are ended, whoever started them; nobody else's process is."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID, uuid4

import psutil
import pytest

from mmix.settings import Settings
from mmix.store import endings, experiments, leases
from mmix.store import sessions as store
from mmix.store.attempts import Key
from mmix.store.experiments import Wish
from mmix.store.leases import Lease
from mmix.store.sessions import Sessions
from tests.conftest import make_spec, new_worker
from tests.fleet.conftest import until
from worker import processes
from worker.sweep import sweep, swept

# As a trainer of several devices: it leads a session, and so does its rank, which no signal to its group reaches.
STUCK = """
import subprocess, sys, time
rank = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
print(rank.pid, flush=True)
time.sleep(600)
"""


@pytest.fixture
def orphan() -> "Iterator[subprocess.Popen[str]]":
    """A process that hears nothing and has nobody to end it, with a child in a session of its own."""
    with subprocess.Popen(
        [sys.executable, "-c", STUCK], stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        yield process
        processes.end(processes.Process(process.pid, _started(process.pid)))


def _started(pid: int) -> int:
    found = processes.find(pid)
    return 0 if found is None else found.started


def _claimed(sessions: Sessions, *, lease_seconds: float = 60) -> Lease:
    with sessions.begin() as session:
        made = experiments.create(session, owner="local", spec=make_spec(), wish=Wish(seeds=(0,)))
        (run,) = experiments.get(session, owner="local", experiment_id=made).runs
    return _claim(sessions, run.id, lease_seconds=lease_seconds)


def _claim(sessions: Sessions, run_id: UUID, *, lease_seconds: float = 60) -> Lease:
    with sessions.begin() as session:
        lease = leases.claim(
            session,
            run_id=run_id,
            worker_id=new_worker(session),
            host="here",
            queues=("any", "cpu"),
            lease_seconds=lease_seconds,
        )
    assert lease is not None
    return lease


def _lose(sessions: Sessions, lease: Lease) -> None:
    with sessions.begin() as session:
        endings.lose(session, lease, exit_code=None, error="its worker died")


def _note(scratch: Path, key: Key, process: "subprocess.Popen[str]", *, earlier: int = 0) -> Path:
    """The file that tells of an attempt's trainer, as if it had started so much earlier."""
    folder = scratch / "runs" / str(key.run_id) / str(key.attempt)
    folder.mkdir(parents=True)
    note = folder / "pid"
    note.write_text(f"{process.pid} {_started(process.pid) - earlier}")
    return note


def _ended(process: "subprocess.Popen[str]") -> None:
    assert process.stdout is not None
    rank = psutil.Process(int(process.stdout.readline()))
    until(lambda: process.poll() is not None, seconds=30, what="the end of the trainer")
    until(
        lambda: not rank.is_running() or rank.status() == psutil.STATUS_ZOMBIE, seconds=30, what="the end of its rank"
    )


def test_the_trainer_of_an_attempt_that_has_ended_is_ended_with_all_that_it_started(
    sessions: Sessions, tmp_path: Path, orphan: "subprocess.Popen[str]"
) -> None:
    lease = _claimed(sessions)
    note = _note(tmp_path, lease, orphan)
    _lose(sessions, lease)
    assert sweep(sessions, tmp_path) == {Key(lease.run_id, 1)}
    _ended(orphan)
    assert sweep(sessions, tmp_path) == set()
    assert not note.exists()


def test_the_trainer_of_a_run_that_has_another_attempt_is_ended(
    sessions: Sessions, tmp_path: Path, orphan: "subprocess.Popen[str]"
) -> None:
    first = _claimed(sessions)
    _note(tmp_path, first, orphan)
    _lose(sessions, first)
    assert _claim(sessions, first.run_id).attempt == 2
    assert sweep(sessions, tmp_path) == {Key(first.run_id, 1)}
    _ended(orphan)


def test_the_trainer_of_a_live_lease_is_spared(
    sessions: Sessions, tmp_path: Path, orphan: "subprocess.Popen[str]"
) -> None:
    note = _note(tmp_path, _claimed(sessions), orphan)
    assert sweep(sessions, tmp_path) == set()
    assert orphan.poll() is None
    assert note.exists()


def test_the_trainer_of_another_services_run_is_spared(
    sessions: Sessions, tmp_path: Path, orphan: "subprocess.Popen[str]"
) -> None:
    note = _note(tmp_path, Key(uuid4(), 1), orphan)
    assert sweep(sessions, tmp_path) == set()
    assert orphan.poll() is None
    assert note.exists()


def test_a_process_that_has_only_the_number_of_a_dead_trainer_is_spared(
    sessions: Sessions, tmp_path: Path, orphan: "subprocess.Popen[str]"
) -> None:
    note = _note(tmp_path, _claimed(sessions, lease_seconds=-1), orphan, earlier=1)
    assert sweep(sessions, tmp_path) == set()
    assert orphan.poll() is None
    assert not note.exists()


@pytest.mark.parametrize("told", ["", "4711", "4711 soon", "-1 -1", "no process"])
def test_a_file_that_names_no_process_is_left_alone(sessions: Sessions, tmp_path: Path, told: str) -> None:
    for name in (str(uuid4()), "lost+found"):
        folder = tmp_path / "runs" / name / "1"
        folder.mkdir(parents=True)
        (folder / "pid").write_text(told)
    assert sweep(sessions, tmp_path) == set()
    assert len(list(tmp_path.glob("runs/*/1/pid"))) == 2


def test_a_worker_goes_on_sweeping_for_those_whose_lease_still_lives_when_it_starts(
    sessions: Sessions, tmp_path: Path, orphan: "subprocess.Popen[str]"
) -> None:
    _note(tmp_path, _claimed(sessions, lease_seconds=1.5), orphan)
    with swept(sessions, tmp_path, every_seconds=0.2):
        assert orphan.poll() is None
        _ended(orphan)


def test_a_worker_starts_without_the_database_and_ends_nobody(tmp_path: Path, orphan: "subprocess.Popen[str]") -> None:
    note = _note(tmp_path, Key(uuid4(), 1), orphan)
    engine = store.engine(Settings(database_url="postgresql://nobody@127.0.0.1:9/none"))
    with swept(store.sessions(engine), tmp_path, every_seconds=60):
        assert orphan.poll() is None
    assert note.exists()


def test_what_a_dead_trainer_had_on_its_way_is_deleted_and_its_log_is_not(sessions: Sessions, tmp_path: Path) -> None:
    folder = tmp_path / "runs" / str(uuid4()) / "1"
    staged = folder / "staged" / "checkpoints" / "epoch-000001.safetensors"
    staged.parent.mkdir(parents=True)
    staged.write_text("half")
    (folder / "pid").write_text("999999999 1")
    (folder / "trainer.log").write_text("words")
    assert sweep(sessions, tmp_path) == set()
    assert [path.name for path in folder.iterdir()] == ["trainer.log"]
