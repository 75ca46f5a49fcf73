"""What a trainer writes comes to where it belongs, or the trainer hears of it."""

from pathlib import Path

import pytest

from mmix.errors import StorageError
from worker.delivery import Delivery

NAMES = ("epoch-000001.safetensors", "epoch-000001.json")


def _write(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name in NAMES:
        (folder / name).write_text(name)


def test_what_belongs_in_a_folder_is_written_there_at_once(tmp_path: Path) -> None:
    delivery = Delivery.to(str(tmp_path / "shared"), staging=tmp_path / "staging")
    _write(delivery.folder)
    delivery.bring(*NAMES)
    assert sorted(path.name for path in (tmp_path / "shared").iterdir()) == sorted(NAMES)


def test_what_belongs_at_a_url_is_moved_there(tmp_path: Path) -> None:
    delivery = Delivery.to((tmp_path / "shared" / "deep").as_uri(), staging=tmp_path / "staging")
    _write(delivery.folder)
    delivery.bring(*NAMES)
    assert {path.name: path.read_text() for path in (tmp_path / "shared" / "deep").iterdir()} == {
        name: name for name in NAMES
    }
    assert list((tmp_path / "staging").iterdir()) == []


def test_what_can_not_be_brought_is_told_and_takes_no_room(tmp_path: Path) -> None:
    (tmp_path / "shared").write_text("a file where a folder should be")
    delivery = Delivery.to((tmp_path / "shared").as_uri(), staging=tmp_path / "staging")
    _write(delivery.folder)
    with pytest.raises(StorageError, match=r"epoch-000001\.safetensors can't be written"):
        delivery.bring(*NAMES)
    assert list((tmp_path / "staging").iterdir()) == []


def test_a_document_does_not_go_before_what_it_vouches_for(tmp_path: Path) -> None:
    delivery = Delivery.to((tmp_path / "shared").as_uri(), staging=tmp_path / "staging")
    _write(delivery.folder)
    (delivery.folder / NAMES[0]).unlink()
    with pytest.raises(FileNotFoundError):
        delivery.bring(*NAMES)
    assert list((tmp_path / "shared").iterdir()) == []
