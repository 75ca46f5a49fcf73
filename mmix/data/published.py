"""Published data sets of small images: from torchvision's archive, from a packed file or from a folder of images."""

from dataclasses import replace
from pathlib import Path

import torch

from mmix.data import archives, images, packed
from mmix.data.catalogue import ARCHIVES, Archive
from mmix.data.dataset import Dataset, Split, checksum, measure
from mmix.data.images import Images
from mmix.errors import DataBroken, DataMissing


def published(archive: Archive, data_folder: Path) -> Dataset:
    """The data set, or a part of it, from the first that exists: archive, packed file, folder of images.

    Raises: DataMissing where none of them lies there, DataBroken where the one found can't be used.
    """
    folder = data_folder / archive.kind
    if (folder / packed.FILE).is_file() and archives.find(archive, folder) is None:
        found, digest = packed.read(folder / packed.FILE, remedy=archives.remedy(archive))
        check(archive, found, folder)
    else:
        found = read(archive, folder)
        digest = checksum([found.train, found.test])
    return Dataset(
        archive.kind, found.train, found.test, archive.classes, archive.statistics or measure(found.train), digest
    )


def read(archive: Archive, folder: Path) -> Images:
    """The images of a folder that is or holds the archive, or holds train/<class>/ and test/<class>/.

    Raises: DataMissing where it holds neither, DataBroken where what it holds can't be used.
    """
    root = archives.find(archive, folder)
    if root is not None:
        found = archives.read(archive, root)
    elif (folder / "train").is_dir():
        found = _of_channels(images.read(folder), archive.shape[0])
    else:
        raise _nothing(archive, folder)
    check(archive, found, folder)
    return found


def check(archive: Archive, found: Images, folder: Path) -> None:
    """Raises: DataBroken where classes, labels or the size of the images are not those of the archive."""
    names = archive.classes
    if found.classes != names:
        raise DataBroken(f"the classes in {folder} are {_few(found.classes)}; {archive.title}'s are {_few(names)}")
    for name, split in {"training": found.train, "test": found.test}.items():
        _check_split(archive, split, f"the {name} split in {folder}")
    present = int((found.train.y.bincount() > 0).sum())
    if present != len(names):
        raise DataBroken(f"the training split in {folder} has {present} classes; {archive.title} has {len(names)}")


def _check_split(archive: Archive, split: Split, name: str) -> None:
    if split.shape != archive.shape:
        raise DataBroken(f"{name} has images of {_size(split.shape)}; {archive.title}'s are {_size(archive.shape)}")
    if len(split.x) != len(split.y):
        raise DataBroken(f"{name} has {len(split.x)} images, but {len(split.y)} labels")
    if len(split) == 0:
        raise DataBroken(f"{name} is empty")
    first, last, highest = int(split.y.min()), int(split.y.max()), len(archive.classes) - 1
    if first < 0 or last > highest:
        raise DataBroken(f"{name} has labels from {first} to {last}; {archive.title}'s are 0 to {highest}")


def _nothing(archive: Archive, folder: Path) -> DataMissing | DataBroken:
    for other in ARCHIVES:
        if archives.find(other, folder) is not None:
            return DataBroken(
                f"{folder} holds {other.title} ({other.parts[0]}), but {archive.title} ({archive.parts[0]}) is wanted: "
                f"move it, and run `mmix data prepare {archive.kind} --download` or `... --from DIR`"
            )
    return DataMissing(
        f"{archive.title} is not in {folder}, neither as {archive.parts[0]} nor as train/<class>/ and test/<class>/: "
        f"run `mmix data prepare {archive.kind} --download`, "
        f"or `mmix data prepare {archive.kind} --from DIR` with a copy that you have"
    )


def _of_channels(found: Images, channels: int) -> Images:
    """The images with one channel instead of three where the archive's have one and these are grey."""
    if channels == 3 or not all(_is_grey(split.x) for split in (found.train, found.test)):
        return found
    train, test = (replace(split, x=split.x[:, :1].contiguous()) for split in (found.train, found.test))
    return replace(found, train=train, test=test)


def _is_grey(x: torch.Tensor) -> bool:
    return bool((x == x[:, :1]).all())


def _few(names: tuple[str, ...]) -> str:
    return ", ".join(names) if len(names) <= 10 else f"{', '.join(names[:9])} and {len(names) - 9} more"


def _size(shape: tuple[int, ...]) -> str:
    channels, height, width = shape
    return f"{width} x {height} pixels in {channels} channel{'s' if channels > 1 else ''}"
