"""The archives of published data sets, as torchvision fetches and reads them."""

import gzip
import math
import pickle
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, assert_never

import numpy as np
import torch

from mmix.data import layout
from mmix.data.catalogue import Archive
from mmix.data.dataset import Split
from mmix.data.images import Images
from mmix.errors import DataBroken, DataMissing
from mmix.torchvision_import import torchvision

# What torchvision raises on files that are cut off, altered or of another format; it asserts on what it reads.
BROKEN = (RuntimeError, OSError, ValueError, TypeError, LookupError, EOFError, AssertionError, pickle.UnpicklingError)


def find(archive: Archive, folder: Path) -> Path | None:
    """The folder that torchvision would call the archive's root; None where it isn't there."""
    return layout.archive_root(archive.parts, folder)


def read(archive: Archive, root: Path) -> Images:
    """The images of the archive under `root`, its labels as published.

    Raises: DataBroken where a file is missing or not the published one, or holds something else.
    """
    for path in _faulty(archive, root):
        raise DataBroken(f"{path} is missing, incomplete or altered: {remedy(archive)}")
    try:
        return _images(archive, root)
    except BROKEN as error:
        raise DataBroken(f"{root / archive.parts[0]} can't be read ({error!r}): {remedy(archive)}") from error


def download(archive: Archive, folder: Path) -> None:
    """Fetches the archive, verifies it and puts it into `folder`, whole or not at all.

    Raises: DataMissing where it can't be fetched, DataBroken where something else came.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".download-", dir=folder) as part:
        try:
            _parts(archive, Path(part), download=True)
        except (OSError, RuntimeError) as error:
            raise DataMissing(
                f"{archive.title} couldn't be downloaded ({error}): try again, "
                f"or run `mmix data prepare {archive.kind} --from DIR` with a copy that you have"
            ) from error
        read(archive, Path(part))
        for name in reversed(archive.parts):  # the first tells that the archive is there, so it comes last
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.move(Path(part) / name, folder / name)


def remedy(archive: Archive) -> str:
    """What to do where the data in place are broken."""
    command = f"mmix data prepare {archive.kind}"
    return f"delete it and run `{command} --download` or `{command} --from DIR` again"


def _parts(archive: Archive, root: Path, *, download: bool) -> list[Any]:
    """torchvision's objects for the training and the test split."""
    reader = getattr(torchvision("datasets"), archive.reader)
    match archive.reader:
        case "SVHN":
            return [reader(root, split=split, download=download) for split in ("train", "test")]
        case "CIFAR10" | "CIFAR100" | "MNIST" | "FashionMNIST":
            return [reader(root, train=train, download=download) for train in (True, False)]
        case _:
            assert_never(archive.reader)


def _images(archive: Archive, root: Path) -> Images:
    classes = archive.classes
    match archive.reader:
        case "CIFAR10" | "CIFAR100":
            parts = _parts(archive, root, download=False)
            classes = tuple(parts[0].classes)
            splits = [_split(part.data.transpose(0, 3, 1, 2), part.targets) for part in parts]
        case "SVHN":
            parts = _parts(archive, root, download=False)
            splits = [_split(part.data, part.labels) for part in parts]  # labels 0..9: torchvision makes a 0 of a 10
        case "MNIST" | "FashionMNIST":
            with _unpacked(archive, root) as unpacked:
                parts = _parts(archive, unpacked, download=False)
            splits = [_split(part.data[:, None].numpy(), part.targets) for part in parts]
        case _:
            assert_never(archive.reader)
    return Images(splits[0], splits[1], classes)


def _split(pixels: np.ndarray, labels: Any) -> Split:
    """pixels: (N, C, H, W), uint8."""
    return Split(x=torch.from_numpy(np.ascontiguousarray(pixels)), y=torch.as_tensor(labels, dtype=torch.int64))


def _faulty(archive: Archive, root: Path) -> Iterator[Path]:
    """The archive's files that are not what torchvision's MD5 sums promise."""
    reader = getattr(torchvision("datasets"), archive.reader)
    is_whole = torchvision("datasets.utils").check_integrity
    match archive.reader:
        case "CIFAR10" | "CIFAR100":
            meta = reader.meta["filename"], reader.meta["md5"]
            sums = [
                (root / archive.parts[0] / name, md5) for name, md5 in (*reader.train_list, *reader.test_list, meta)
            ]
        case "SVHN":
            sums = [(root / name, md5) for _, name, md5 in (reader.split_list[split] for split in ("train", "test"))]
        case "MNIST" | "FashionMNIST":
            sums = [(path, md5) for path, md5 in _packed(archive, root) if path.exists()]
            unpacked = [path.with_suffix("") for path, _ in _packed(archive, root) if not path.exists()]
            yield from (path for path in unpacked if not _is_whole_idx(path))
        case _:
            assert_never(archive.reader)
    yield from (path for path, md5 in sums if not is_whole(path, md5))


def _packed(archive: Archive, root: Path) -> list[tuple[Path, str]]:
    """The packed files of MNIST and Fashion-MNIST; sums are published for these alone, not for what is in them."""
    resources = getattr(torchvision("datasets"), archive.reader).resources
    return [(root / archive.parts[0] / name, md5) for name, md5 in resources]


def _is_whole_idx(path: Path) -> bool:
    """Whether the file is there and as long as its head says: a magic number, the sizes, then the bytes."""
    if not path.is_file() or path.stat().st_size < 4:
        return False
    dimensions = np.fromfile(path, ">u4", count=1).item() % 256
    sizes = np.fromfile(path, ">u4", count=1 + dimensions)[1:].tolist()
    return bool(path.stat().st_size == 4 * (1 + dimensions) + math.prod(sizes))


@contextmanager
def _unpacked(archive: Archive, root: Path) -> Iterator[Path]:
    """A root where torchvision finds the files unpacked: from the packed ones where those are there, being verified."""
    packed = [path for path, _ in _packed(archive, root) if path.exists()]
    if not packed:
        yield root
        return
    with tempfile.TemporaryDirectory(prefix="mmix-") as place:
        target = Path(place) / archive.parts[0]
        replaced = shutil.ignore_patterns("*.gz", *(path.stem for path in packed))
        shutil.copytree(root / archive.parts[0], target, ignore=replaced)
        for path in packed:
            (target / path.stem).write_bytes(gzip.decompress(path.read_bytes()))
        yield Path(place)
