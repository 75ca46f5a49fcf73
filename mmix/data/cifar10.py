"""CIFAR-10 from torchvision's archive, from a packed file or from a folder of images."""

from pathlib import Path

import numpy as np
import torch

from mmix.data import images, packed
from mmix.data.dataset import Dataset, Split, Statistics, checksum
from mmix.data.images import Images
from mmix.data.torchvision_import import torchvision
from mmix.errors import DataBroken, DataMissing

ARCHIVE = "cifar-10-batches-py"
CLASSES = (
    "airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck",
)  # fmt: skip
# Source: the authors' code, supervised/load_data.py
STATISTICS = Statistics(mean=torch.tensor([125.3, 123.0, 113.9]) / 255, std=torch.tensor([63.0, 62.1, 66.7]) / 255)
REMEDY = "delete it and run `mmix data prepare cifar10 --download` or `... cifar10 --from DIR` again"


def cifar10(data_folder: Path) -> Dataset:
    """CIFAR-10, or a part of it, from the first that exists: archive, packed file, folder of images.

    Raises: DataMissing where none of them lies there, DataBroken where the one found can't be used.
    """
    folder = data_folder / "cifar10"
    found, digest = _read(folder)
    check_classes(found, folder)
    return Dataset("cifar10", found.train, found.test, CLASSES, STATISTICS, digest)


def check_classes(found: Images, folder: Path) -> None:
    """Raises: DataBroken where the classes or the size of the images are not CIFAR-10's."""
    if found.classes != CLASSES:
        raise DataBroken(f"the classes in {folder} are {', '.join(found.classes)}; CIFAR-10's are {', '.join(CLASSES)}")
    if found.train.x.shape[1:] != (3, 32, 32):
        height, width = found.train.x.shape[2:]
        raise DataBroken(f"the images in {folder} are {width} x {height} pixels; CIFAR-10's are 32 x 32")


def archive(folder: Path) -> Images:
    """The images of torchvision's archive, which lies in `folder` under its own name.

    Raises: DataBroken where torchvision's checksums don't match.
    """
    reader = torchvision("datasets").CIFAR10
    try:
        parts = [reader(folder, train=train, download=False) for train in (True, False)]
    except (RuntimeError, OSError) as error:
        raise DataBroken(f"{folder / ARCHIVE} is incomplete or altered: {REMEDY}") from error
    train, test = (_split(part.data, part.targets) for part in parts)
    return Images(train=train, test=test, classes=tuple(parts[0].classes))


def _read(folder: Path) -> tuple[Images, str]:
    if (folder / ARCHIVE).is_dir():
        return _with_checksum(archive(folder))
    if (folder / packed.FILE).is_file():
        return packed.read(folder / packed.FILE, remedy=REMEDY)
    if (folder / "train").is_dir():
        return _with_checksum(images.read(folder))
    raise DataMissing(
        f"CIFAR-10 is not in {folder}: run `mmix data prepare cifar10 --download`, "
        "or `mmix data prepare cifar10 --from DIR` with a copy that you have"
    )


def _with_checksum(found: Images) -> tuple[Images, str]:
    return found, checksum([found.train, found.test])


def _split(pixels: np.ndarray, labels: list[int]) -> Split:
    """pixels: (N, 32, 32, 3), uint8."""
    x = torch.from_numpy(np.ascontiguousarray(pixels.transpose(0, 3, 1, 2)))
    return Split(x=x, y=torch.tensor(labels, dtype=torch.int64))
