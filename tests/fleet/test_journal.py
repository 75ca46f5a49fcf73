"""What a trainer reports and prints reaches the database whole, in bounds, and after an outage too."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy.exc import OperationalError

from mmix.settings import Settings
from mmix.store import checkpoints, runs
from mmix.store import sessions as store
from mmix.store.events import MOST_CHARACTERS
from mmix.store.leases import Lease
from mmix.store.sessions import Sessions
from tests.conftest import new_lease
from tests.fleet.conftest import until
from worker import wire
from worker.journal import MOST_LINES, Journal

EPOCH = wire.Trained(epoch=1, metrics={"error": 0.5}, step=10, images_per_second=100.0, seconds_left=9.0, seconds=3.0)


@pytest.fixture
def lease(sessions: Sessions) -> Lease:
    with sessions.begin() as session:
        return new_lease(session)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "trainer.log"


@pytest.fixture
def nowhere(settings: Settings) -> Iterator[Sessions]:
    """Sessions on a database that can't be reached."""
    engine = store.engine(settings.model_copy(update={"database_url": "postgresql://127.0.0.1:9/none"}))
    yield store.sessions(engine)
    engine.dispose()


def _stored(sessions: Sessions, lease: Lease, *, limit: int = MOST_LINES + 1) -> list[str]:
    with sessions.begin() as session:
        found = runs.log(session, owner="local", run_id=lease.run_id, attempt=None, after=(0, 0), limit=limit)
    assert [line.n for line in found] == list(range(1, len(found) + 1))
    return [line.line for line in found]


def _saved(folder: Path, epoch: int) -> wire.Saved:
    place = folder / f"{epoch}.safetensors"
    place.write_bytes(b"tensors")
    return wire.Saved(epoch=epoch, place=str(place), sha256="0" * 64, size_bytes=7)


def test_what_an_outage_kept_back_is_stored_afterwards(
    sessions: Sessions, nowhere: Sessions, lease: Lease, log: Path
) -> None:
    journal = Journal(lease, log=log)
    journal.add(wire.Started(pid=7, first_epoch=1))
    journal.add(EPOCH)
    log.write_text("one\n")
    with pytest.raises(OperationalError):
        journal.flush(nowhere, seconds=1)
    log.write_text("one\ntwo\n")
    journal.flush(sessions, seconds=1)
    assert journal.empty
    assert _stored(sessions, lease) == ["one", "two"]
    with sessions.begin() as session:
        (attempt,) = runs.attempts_at(session, owner="local", run_id=lease.run_id)
        assert runs.curves(session, owner="local", run_id=lease.run_id) == {"error": [(1, 0.5)]}
    assert (attempt.first_epoch, attempt.last_epoch, attempt.last_step) == (1, 1, 10)


def test_a_checkpoint_is_noted_and_the_files_of_those_that_fell_out_are_deleted(
    sessions: Sessions, nowhere: Sessions, lease: Lease, log: Path, tmp_path: Path
) -> None:
    saved = [_saved(tmp_path, epoch) for epoch in (1, 2, 3)]
    journal = Journal(lease, log=log)
    for event in saved:
        journal.add(event)
    with pytest.raises(OperationalError):
        journal.flush(nowhere, seconds=1)
    assert not journal.empty
    journal.flush(sessions, seconds=1)
    with sessions.begin() as session:
        assert [row.epoch for row in checkpoints.registered(session, lease.run_id)] == [3, 2]
    until(lambda: not Path(saved[0].place).exists(), seconds=5, what="the deletion of the oldest")
    assert [Path(event.place).exists() for event in saved] == [False, True, True]


def test_a_line_is_stored_once_it_is_whole_and_the_last_one_in_any_case(
    sessions: Sessions, lease: Lease, log: Path
) -> None:
    journal = Journal(lease, log=log)
    journal.flush(sessions, seconds=1)  # the trainer hasn't printed yet: there is no file
    log.write_bytes(b"whole\r\nhal")
    journal.flush(sessions, seconds=1)
    first = _stored(sessions, lease)
    log.write_bytes(b"whole\r\nhalf\nno end")
    journal.flush(sessions, seconds=1)
    second = _stored(sessions, lease)
    journal.close()
    journal.flush(sessions, seconds=1)
    assert first == ["whole"]
    assert second == ["whole", "half"]
    assert _stored(sessions, lease) == ["whole", "half", "no end"]


def test_bytes_that_are_no_text_and_an_endless_line_can_be_read(sessions: Sessions, lease: Lease, log: Path) -> None:
    log.write_bytes(b"\xff\xfe NUL \x00\n" + "ä".encode() * 1_000_000 + b"\nlast\n")
    journal = Journal(lease, log=log)
    journal.close()
    journal.flush(sessions, seconds=10)
    assert _stored(sessions, lease) == ["\ufffd\ufffd NUL \\x00", "ä" * MOST_CHARACTERS, "last"]


def test_of_a_flood_the_beginning_is_kept_and_where_the_rest_lies(sessions: Sessions, lease: Lease, log: Path) -> None:
    log.write_text("".join(f"line {n}\n" for n in range(1, 100_001)))
    journal = Journal(lease, log=log)
    journal.close()
    journal.flush(sessions, seconds=60)
    *lines, last = _stored(sessions, lease)
    assert (len(lines), lines[-1]) == (MOST_LINES - 1, f"line {MOST_LINES - 1}")
    assert last == f"More than 10,000 lines were printed: all of them lie in {log} on the worker's machine"


def test_a_flood_keeps_a_supervisor_for_a_batch_longer_than_it_wants(
    sessions: Sessions, lease: Lease, log: Path
) -> None:
    log.write_text("so it goes\n" * 100_000)
    journal = Journal(lease, log=log)
    journal.flush(sessions, seconds=0)
    assert len(_stored(sessions, lease)) == 1000
    assert not journal.empty
