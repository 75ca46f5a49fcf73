"""Which checkpoints a run has, kept under the fence: on real PostgreSQL, with files on a real disk."""

from pathlib import Path
from uuid import UUID, uuid4

import pytest

from mmix import files
from mmix.errors import Fenced
from mmix.store import checkpoints, endings, leases, runs
from mmix.store.checkpoints import Registered
from mmix.store.leases import Lease
from mmix.store.sessions import Sessions
from tests.conftest import new_lease, new_worker
from worker import storage

FOUND = {"last": {"error": 0.25, "nll": 0.5}}


@pytest.fixture
def lease(sessions: Sessions) -> Lease:
    with sessions.begin() as session:
        return new_lease(session)


def _place(lease: Lease, epoch: int, *, root: str = "/shared") -> str:
    return f"{root}/runs/{lease.run_id}/{lease.attempt}/checkpoints/epoch-{epoch:06d}.safetensors"


def _register(sessions: Sessions, lease: Lease, epoch: int, *, root: str = "/shared") -> list[str]:
    with sessions.begin() as session:
        place = _place(lease, epoch, root=root)
        return checkpoints.register(session, lease, epoch=epoch, place=place, sha256=f"{epoch:064d}", size_bytes=10)


def _registered(sessions: Sessions, run_id: UUID) -> list[tuple[int, int]]:
    with sessions.begin() as session:
        return [(each.attempt, each.epoch) for each in checkpoints.registered(session, run_id)]


def _lose(sessions: Sessions, lease: Lease) -> None:
    with sessions.begin() as session:
        endings.lose(session, lease, exit_code=-9, error="killed")


def _claim(sessions: Sessions, run_id: UUID) -> Lease:
    with sessions.begin() as session:
        found = leases.claim(
            session, run_id=run_id, worker_id=new_worker(session), host="b", queues=("any",), lease_seconds=60
        )
    assert found is not None
    return found


def _succeed(sessions: Sessions, lease: Lease) -> None:
    with sessions.begin() as session:
        endings.succeed(session, lease, found=FOUND, provenance={"artifacts": ["logits.safetensors"]}, seconds=1.0)


def _fail(sessions: Sessions, lease: Lease) -> None:
    with sessions.begin() as session:
        endings.fail(session, lease, failure_class="diverged", message="no number", exit_code=1, error=None)


def _cancel(sessions: Sessions, lease: Lease) -> None:
    with sessions.begin() as session:
        runs.cancel(session, owner="local", run_id=lease.run_id)
    with sessions.begin() as session:
        endings.end_cancelled(session, lease, exit_code=0)


def test_the_next_attempt_is_told_of_the_newest_two_in_order(sessions: Sessions, lease: Lease) -> None:
    assert lease.resume == ()
    assert [_register(sessions, lease, epoch) for epoch in (1, 2)] == [[], []]
    assert _register(sessions, lease, 3) == [_place(lease, 1)]
    _lose(sessions, lease)
    assert _claim(sessions, lease.run_id).resume == (
        Registered(1, 3, _place(lease, 3), f"{3:064d}", 10),
        Registered(1, 2, _place(lease, 2), f"{2:064d}", 10),
    )


def test_a_checkpoint_registered_twice_is_one(sessions: Sessions, lease: Lease) -> None:
    assert [_register(sessions, lease, epoch) for epoch in (1, 2, 2)] == [[], [], []]
    assert _registered(sessions, lease.run_id) == [(1, 2), (1, 1)]


def test_two_are_kept_over_all_attempts_and_those_of_the_newest_attempt_come_first(
    sessions: Sessions, lease: Lease
) -> None:
    for epoch in (7, 8):
        _register(sessions, lease, epoch)
    _lose(sessions, lease)
    second = _claim(sessions, lease.run_id)
    # It began anew, as neither of the others verified: what it writes must not give way to them.
    assert _register(sessions, second, 1) == [_place(lease, 7)]
    assert _registered(sessions, lease.run_id) == [(2, 1), (1, 8)]


def test_an_attempt_that_has_lost_its_run_registers_nothing(sessions: Sessions, lease: Lease) -> None:
    _register(sessions, lease, 1)
    _lose(sessions, lease)
    _claim(sessions, lease.run_id)
    with pytest.raises(Fenced):
        _register(sessions, lease, 2)
    assert _registered(sessions, lease.run_id) == [(1, 1)]


@pytest.fixture(params=["folder", "url"])
def root(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A place that all workers share: a folder, or a URL of one."""
    return str(tmp_path) if request.param == "folder" else tmp_path.as_uri()


def _write(tmp_path: Path, lease: Lease, *, epochs: int) -> None:
    """So many checkpoints and an artifact, as an attempt leaves them."""
    folder = tmp_path / "runs" / str(lease.run_id) / str(lease.attempt)
    for kind in ("checkpoints", "artifacts"):
        (folder / kind).mkdir(parents=True)
    for epoch in range(1, epochs + 1):
        for suffix in ("safetensors", "json"):
            (folder / "checkpoints" / f"epoch-{epoch:06d}.{suffix}").write_text("whole")
    (folder / "artifacts" / "logits.safetensors").write_text("logits")


def _left(tmp_path: Path) -> list[str]:
    return sorted("/".join(path.parts[-3:]) for path in tmp_path.rglob("*.*") if path.is_file())


def _tidy(sessions: Sessions, run_id: UUID, root: str) -> None:
    storage.tidy(sessions, run_id, artifacts=root)


def test_a_run_that_succeeded_keeps_its_final_weights_and_its_artifacts(
    sessions: Sessions, lease: Lease, tmp_path: Path, root: str
) -> None:
    _write(tmp_path, lease, epochs=3)
    for epoch in (1, 2):
        _register(sessions, lease, epoch, root=root)
    _lose(sessions, lease)
    second = _claim(sessions, lease.run_id)
    _write(tmp_path, second, epochs=3)
    _register(sessions, second, 3, root=root)
    _tidy(sessions, lease.run_id, root)
    assert len(_left(tmp_path)) == 14  # it goes on: nothing is lost
    _succeed(sessions, second)
    _tidy(sessions, lease.run_id, root)
    assert _left(tmp_path) == [
        "2/artifacts/logits.safetensors",
        "2/checkpoints/epoch-000003.json",
        "2/checkpoints/epoch-000003.safetensors",
    ]
    assert _registered(sessions, lease.run_id) == [(2, 3)]


def test_a_failed_run_keeps_its_newest_checkpoint_and_a_cancelled_one_none(
    sessions: Sessions, lease: Lease, tmp_path: Path, root: str
) -> None:
    with sessions.begin() as session:
        other = new_lease(session)
    for each in (lease, other):
        _write(tmp_path, each, epochs=2)
        for epoch in (1, 2):
            _register(sessions, each, epoch, root=root)
    _fail(sessions, lease)
    _cancel(sessions, other)
    for each in (lease, other):
        _tidy(sessions, each.run_id, root)
    assert _left(tmp_path) == ["1/checkpoints/epoch-000002.json", "1/checkpoints/epoch-000002.safetensors"]
    assert _registered(sessions, lease.run_id) == [(1, 2)]
    assert _registered(sessions, other.run_id) == []


def test_what_a_run_left_that_was_cancelled_while_it_waited_is_found_by_the_next_worker(
    sessions: Sessions, lease: Lease, tmp_path: Path, root: str
) -> None:
    _write(tmp_path, lease, epochs=1)
    _register(sessions, lease, 1, root=root)
    _lose(sessions, lease)
    with sessions.begin() as session:
        runs.cancel(session, owner="local", run_id=lease.run_id)
    storage.tidy_all(sessions, artifacts=root)
    assert _left(tmp_path) == []
    assert _registered(sessions, lease.run_id) == []


def test_what_no_row_speaks_of_is_needless_and_what_goes_on_is_not(
    sessions: Sessions, lease: Lease, tmp_path: Path, root: str
) -> None:
    with sessions.begin() as session:
        other = new_lease(session)
    for each in (lease, other):
        _write(tmp_path, each, epochs=2)
        _register(sessions, each, 2, root=root)
    unknown = tmp_path / "runs" / str(uuid4()) / "1" / "checkpoints"
    unknown.mkdir(parents=True)
    (unknown / "epoch-000001.safetensors").write_text("12345")
    _succeed(sessions, lease)
    places = [f"{root}/runs/{lease.run_id}/1/checkpoints/epoch-000001.{suffix}" for suffix in ("safetensors", "json")]
    places.append(f"{root}/{(unknown / 'epoch-000001.safetensors').relative_to(tmp_path)}")
    assert storage.needless(sessions, artifacts=root) == dict.fromkeys(places, 5)


def test_a_storage_that_does_not_answer_leaves_the_rows_for_another_time(sessions: Sessions, lease: Lease) -> None:
    for epoch in (1, 2):
        _register(sessions, lease, epoch, root="nosuchprotocol://bucket")
    _succeed(sessions, lease)
    _tidy(sessions, lease.run_id, "nosuchprotocol://bucket")
    assert _registered(sessions, lease.run_id) == [(1, 2), (1, 1)]


def test_a_checkpoint_is_deleted_with_the_document_that_vouches_for_it(
    sessions: Sessions, lease: Lease, tmp_path: Path, root: str
) -> None:
    _write(tmp_path, lease, epochs=2)
    gone = _place(lease, 1, root=root)
    storage.delete_now([gone, gone])
    assert _left(tmp_path) == [
        "1/artifacts/logits.safetensors",
        "1/checkpoints/epoch-000002.json",
        "1/checkpoints/epoch-000002.safetensors",
    ]
    with pytest.raises(FileNotFoundError):
        files.read(gone)
