"""What a worker says that it has is what a run can be trained on there."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mmix.data import packed
from mmix.data.catalogue import CIFAR10
from mmix.data.load import load
from mmix.data.prepare import prepare
from mmix.spec.data import Cifar10, Folder
from tests.data.conftest import Writer
from worker import shelves

PETS = Folder(kind="folder", name="pets")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """The packed file of a registered data set: two classes, an image each in both splits."""
    for split in ("train", "test"):
        for seed, name in enumerate(("cat", "dog")):
            pixels = np.random.default_rng([seed, len(split)]).integers(0, 256, size=(5, 6, 3), dtype=np.uint8)
            (tmp_path / "source" / split / name).mkdir(parents=True)
            Image.fromarray(pixels).save(tmp_path / "source" / split / name / "1.png")
    prepare("folder", "pets", source=tmp_path / "source", download=False, data_folder=tmp_path / "data")
    return tmp_path / "data" / "folder" / "pets" / packed.FILE


def test_a_packed_data_set_is_told_with_the_checksum_that_its_runs_will_have(file: Path, tmp_path: Path) -> None:
    assert shelves.look(tmp_path / "data") == {"folder:pets": load(PETS, tmp_path / "data").checksum}


def test_the_archive_counts_where_it_lies_beside_a_packed_file(write: Writer, tmp_path: Path) -> None:
    write(CIFAR10, tmp_path / "source")
    prepare("cifar10", None, source=tmp_path / "source", download=False, data_folder=tmp_path)
    assert shelves.look(tmp_path) == {"cifar10": load(Cifar10(kind="cifar10"), tmp_path).checksum}
    (tmp_path / "source" / "cifar-10-batches-py").rename(tmp_path / "cifar10" / "cifar-10-batches-py")
    assert shelves.look(tmp_path) == {"cifar10": None}


def _header(**metadata: object) -> bytes:
    header = json.dumps({"__metadata__": metadata}).encode()
    return len(header).to_bytes(8, "little") + header


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x07",
        b"\xff" * 100,
        (10).to_bytes(8, "little") + b"no json at all",
        (8).to_bytes(8, "little") + b"[[[[[[[[",
        (200_000).to_bytes(8, "little") + b"[" * 200_000,
        _header(),
        _header(checksum=7),
        _header(checksum="\0" * 64),
        _header(checksum="a" * 64) + b"more than it says",
    ],
)
def test_a_file_that_is_no_packed_file_is_not_told(file: Path, tmp_path: Path, content: bytes) -> None:
    file.write_bytes(content)
    (tmp_path / "data" / "imagenet" / "train").mkdir(parents=True)
    (tmp_path / "data" / "imagenet" / "val").mkdir()
    assert shelves.look(tmp_path / "data") == {"imagenet": None}


@pytest.mark.parametrize("missing_bytes", [1, 50, 400])
def test_a_file_that_is_still_being_copied_is_not_told(file: Path, tmp_path: Path, missing_bytes: int) -> None:
    whole = file.read_bytes()
    file.write_bytes(whole[:-missing_bytes])
    assert shelves.look(tmp_path / "data") == {}
    file.write_bytes(whole)
    assert shelves.look(tmp_path / "data").keys() == {"folder:pets"}


def test_folders_that_no_spec_can_name_and_half_laid_out_ones_are_not_told(tmp_path: Path) -> None:
    for name in ("Pets", ".pets", "pets\udcff", "half", "whole"):
        (tmp_path / "folder" / name / "train").mkdir(parents=True)
    for name in ("Pets", ".pets", "pets\udcff", "whole"):
        (tmp_path / "folder" / name / "test").mkdir()
    (tmp_path / "folder" / "stray.txt").write_text("")
    assert shelves.look(tmp_path) == {"folder:whole": None}


@pytest.mark.parametrize("place", ["nowhere", "file"])
def test_without_a_data_folder_there_are_no_data(tmp_path: Path, place: str) -> None:
    (tmp_path / "file").write_text("")
    assert shelves.look(tmp_path / place) == {}


def test_looking_loads_no_torch() -> None:
    program = "import sys, worker.shelves; sys.exit(any(name in sys.modules for name in ('torch', 'safetensors')))"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
