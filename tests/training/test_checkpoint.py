import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from mmix.training import checkpoint

IDENTITY: checkpoint.Identity = {"digest": "abc", "seed": 3}


def tensors(number: int) -> dict[str, Tensor]:
    return {"weight": torch.full((3, 2), float(number)), "step": torch.tensor(number)}


def save(folder: Path, epoch: int, identity: checkpoint.Identity = IDENTITY) -> Path:
    history = [{"error": 0.1 * number} for number in range(epoch)]
    path, _ = checkpoint.save(folder, epoch=epoch, tensors=tensors(epoch), history=history, identity=identity)
    return path


def test_what_is_found_is_what_was_saved(tmp_path: Path) -> None:
    save(tmp_path, 3)
    found = checkpoint.newest([tmp_path], identity=IDENTITY).checkpoint
    assert found is not None
    assert found.tensors.keys() == tensors(3).keys()
    assert all(torch.equal(found.tensors[name], tensor) for name, tensor in tensors(3).items())
    assert found.history == ({"error": 0.0}, {"error": 0.1}, {"error": 0.2})


def test_the_newest_two_are_kept(tmp_path: Path) -> None:
    for epoch in (1, 2, 3):
        save(tmp_path, epoch)
    checkpoint.delete_old(tmp_path)
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == [f"epoch-00000{epoch}.{suffix}" for epoch in (2, 3) for suffix in ("json", "safetensors")]


def test_the_document_vouches_for_the_tensors(tmp_path: Path) -> None:
    document = json.loads(save(tmp_path, 2).with_suffix(".json").read_text())
    assert {name: document[name] for name in ("epoch", "identity")} == {"epoch": 2, "identity": IDENTITY}
    assert len(document["sha256"]) == 64


def test_the_newest_of_all_folders_is_found(tmp_path: Path) -> None:
    save(tmp_path / "first", 2)
    save(tmp_path / "second", 5)
    found = checkpoint.newest([tmp_path / "none", tmp_path / "first", tmp_path / "second"], identity=IDENTITY)
    assert found.checkpoint is not None
    assert (found.checkpoint.epoch, found.skipped) == (5, ())


def test_an_empty_folder_has_none(tmp_path: Path) -> None:
    found = checkpoint.newest([tmp_path, tmp_path / "missing"], identity=IDENTITY)
    assert (found.checkpoint, found.skipped) == (None, ())


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-7])


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 4
    path.write_bytes(content)


def empty(path: Path) -> None:
    path.write_bytes(b"")


@pytest.mark.parametrize("suffix", [".safetensors", ".json"])
@pytest.mark.parametrize("harm", [truncate, flip, empty, Path.unlink])
def test_a_harmed_checkpoint_gives_way_to_the_one_before(
    harm: Callable[[Path], None], suffix: str, tmp_path: Path
) -> None:
    save(tmp_path, 1)
    newest = save(tmp_path, 2)
    harm(newest.with_suffix(suffix))
    found = checkpoint.newest([tmp_path], identity=IDENTITY)
    assert found.checkpoint is not None
    assert found.checkpoint.epoch == 1
    assert [newest.stem in line for line in found.skipped] == (
        [] if harm is Path.unlink and suffix == ".json" else [True]
    )


@pytest.mark.parametrize("other", [{"seed": 4}, {"digest": "abd"}])
def test_a_checkpoint_of_another_run_is_passed_over(other: dict[str, str | int], tmp_path: Path) -> None:
    save(tmp_path, 1, {**IDENTITY, **other})
    found = checkpoint.newest([tmp_path], identity=IDENTITY)
    assert found.checkpoint is None
    assert "another run" in found.skipped[0]


def test_tensors_without_their_document_are_no_checkpoint(tmp_path: Path) -> None:
    (tmp_path / "epoch-000001.safetensors").write_bytes(b"half")
    assert checkpoint.newest([tmp_path], identity=IDENTITY).checkpoint is None


def test_a_broken_checkpoint_can_be_written_again(tmp_path: Path) -> None:
    flip(save(tmp_path, 1))
    save(tmp_path, 1)
    assert checkpoint.newest([tmp_path], identity=IDENTITY).checkpoint is not None
