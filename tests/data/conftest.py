"""Small archives in the published formats; torchvision is told their checksums."""

import gzip
import hashlib
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any, assert_never

import numpy as np
import pytest
import scipy.io

from mmix.data.catalogue import Archive
from mmix.torchvision_import import torchvision

Content = tuple[np.ndarray, np.ndarray]
"""Pixels (N, C, H, W), uint8, and labels (N,)."""
Writer = Callable[..., Path]


def content(archive: Archive, split: str) -> Content:
    """Two images of each class for training, one for testing, in an order that mixes the classes."""
    draw = np.random.default_rng([len(archive.kind), split == "train"])
    labels = np.tile(np.arange(len(archive.classes)), 2 if split == "train" else 1)[::-1].copy()
    return draw.integers(0, 256, size=(len(labels), *archive.shape), dtype=np.uint8), labels


@pytest.fixture
def write(monkeypatch: pytest.MonkeyPatch) -> Writer:
    """Writes an archive under a folder, where torchvision would put it, and returns the folder."""

    def write(archive: Archive, root: Path, *, train: Content | None = None, test: Content | None = None) -> Path:
        reader = getattr(torchvision("datasets"), archive.reader)
        splits = train or content(archive, "train"), test or content(archive, "test")
        (root / archive.parts[0]).parent.mkdir(parents=True, exist_ok=True)
        match archive.reader:
            case "CIFAR10" | "CIFAR100":
                _cifar(reader, archive, root / archive.parts[0], *splits, monkeypatch)
            case "SVHN":
                _svhn(reader, root, *splits, monkeypatch)
            case "MNIST" | "FashionMNIST":
                _mnist(reader, root / archive.parts[0], *splits, monkeypatch)
            case _:
                assert_never(archive.reader)
        return root

    return write


def _cifar(
    reader: Any, archive: Archive, folder: Path, train: Content, test: Content, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pickled dictionaries; a row holds 1024 red, 1024 green and 1024 blue values."""
    folder.mkdir()
    key = "labels" if archive.reader == "CIFAR10" else "fine_labels"
    names = [name for name, _ in reader.train_list]
    parts = [*zip(*(np.array_split(array, len(names)) for array in train), strict=True), test]
    contents = {
        name: pickle.dumps({"data": pixels.reshape(len(pixels), -1), key: labels.tolist()})
        for name, (pixels, labels) in zip([*names, reader.test_list[0][0]], parts, strict=True)
    }
    contents[reader.meta["filename"]] = pickle.dumps({reader.meta["key"]: list(archive.classes)})
    sums = {name: _write(folder / name, content) for name, content in contents.items()}
    monkeypatch.setattr(reader, "train_list", [[name, sums[name]] for name in names])
    monkeypatch.setattr(reader, "test_list", [[name, sums[name]] for name, _ in reader.test_list])
    monkeypatch.setattr(reader, "meta", {**reader.meta, "md5": sums[reader.meta["filename"]]})


def _svhn(reader: Any, root: Path, train: Content, test: Content, monkeypatch: pytest.MonkeyPatch) -> None:
    """Matlab files; X is (H, W, C, N) and the digit 0 has the label 10."""
    splits = dict(reader.split_list)
    for name, (pixels, labels) in {"train": train, "test": test}.items():
        file = root / splits[name][1]
        scipy.io.savemat(file, {"X": pixels.transpose(2, 3, 1, 0), "y": np.where(labels == 0, 10, labels)[:, None]})
        splits[name] = [*splits[name][:2], hashlib.md5(file.read_bytes()).hexdigest()]
    monkeypatch.setattr(reader, "split_list", splits)


def _mnist(reader: Any, folder: Path, train: Content, test: Content, monkeypatch: pytest.MonkeyPatch) -> None:
    """Packed idx files: a magic number, the sizes, the bytes."""
    folder.mkdir()
    sums = {}
    for prefix, (pixels, labels) in {"train": train, "t10k": test}.items():
        for name, array in {"images-idx3": pixels[:, 0], "labels-idx1": labels.astype(np.uint8)}.items():
            head = np.array([0x0800 + array.ndim, *array.shape], ">i4").tobytes()
            file = folder / f"{prefix}-{name}-ubyte.gz"
            sums[file.name] = _write(file, gzip.compress(head + array.tobytes()))
    monkeypatch.setattr(reader, "resources", [(name, sums[name]) for name, _ in reader.resources])


def _write(path: Path, content: bytes) -> str:
    path.write_bytes(content)
    return hashlib.md5(content).hexdigest()
