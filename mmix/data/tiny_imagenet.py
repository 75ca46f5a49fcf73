"""Tiny-ImageNet from its own folder, or from a packed file."""

from pathlib import Path

import torch

from mmix.data import images, layout, packed
from mmix.data.dataset import Dataset, Split, Statistics, checksum
from mmix.data.images import Images
from mmix.errors import DataBroken, DataMissing

SIDE = 64
# Source: the authors' code, supervised/load_data.py
STATISTICS = Statistics(mean=torch.full((3,), 0.5), std=torch.full((3,), 0.5))
REMEDY = "run `mmix data prepare tiny_imagenet --from DIR` again"


def tiny_imagenet(data_folder: Path) -> Dataset:
    """The data set; its published validation split is the test split.

    Raises: DataMissing where it or a part of it is not there, DataBroken where it can't be used.
    """
    place = data_folder / "tiny_imagenet"
    if (place / packed.FILE).is_file():
        found, digest = packed.read(place / packed.FILE, remedy=REMEDY)
        _check_size(found, place)
    else:
        found = read(place)
        digest = checksum([found.train, found.test])
    return Dataset("tiny_imagenet", found.train, found.test, found.classes, STATISTICS, digest)


def read(folder: Path) -> Images:
    """The images of tiny-imagenet-200, which `folder` is or holds; classes in the order of their WordNet ids.

    Raises: DataMissing where a part is missing, DataBroken where it can't be read or contradicts itself.
    """
    root = layout.tiny_imagenet_root(folder)
    classes = tuple(sorted(_lines(root / "wnids.txt")))
    train = _train(root, classes)
    test = _test(root, classes)
    x = images.pixels([path for path, _ in train + test])
    y = torch.tensor([label for _, label in train + test])
    cut = len(train)
    found = Images(Split(x[:cut], y[:cut]), Split(x[cut:], y[cut:]), classes)
    _check_size(found, root)
    return found


def _check_size(found: Images, folder: Path) -> None:
    if found.train.shape != (3, SIDE, SIDE):
        _, height, width = found.train.shape
        raise DataBroken(f"the images in {folder} are {width} x {height} pixels; Tiny-ImageNet's are {SIDE} x {SIDE}")


def _train(root: Path, classes: tuple[str, ...]) -> list[tuple[Path, int]]:
    extra = sorted(set(images.folders(root / "train")) - set(classes))
    if extra:
        raise DataBroken(f"{root / 'train' / extra[0]} is a class that {root / 'wnids.txt'} doesn't list")
    return [
        (path, label)
        for label, name in enumerate(classes)
        for path in images.of_class(root / "train" / name / "images")
    ]


def _test(root: Path, classes: tuple[str, ...]) -> list[tuple[Path, int]]:
    """The images that val_annotations.txt names, in the order of their names."""
    annotations = root / "val" / "val_annotations.txt"
    labels = {name: label for label, name in enumerate(classes)}
    listed: list[tuple[Path, int]] = []
    for line in _lines(annotations):
        name, wnid, *_ = [*line.split("\t"), ""]
        path = root / "val" / "images" / name
        if wnid not in labels:
            raise DataBroken(f"{annotations} puts {name} into class {wnid!r}, which {root / 'wnids.txt'} doesn't list")
        if not path.is_file():
            raise DataMissing(f"{path} is missing, although {annotations} names it: unpack the archive again")
        listed.append((path, labels[wnid]))
    unnamed = set(images.of_class(root / "val" / "images")) - {path for path, _ in listed}
    if unnamed:
        raise DataBroken(f"{min(unnamed)} is not named in {annotations}: unpack the archive again")
    return sorted(listed)


def _lines(path: Path) -> list[str]:
    """The lines that are not empty.

    Raises: DataMissing where there is no such file, or nothing in it.
    """
    lines = path.read_text().splitlines() if path.is_file() else []
    if not lines:
        raise DataMissing(
            f"{path} is missing or empty: fetch tiny-imagenet-200.zip from http://cs231n.stanford.edu, unpack it, "
            "and run `mmix data prepare tiny_imagenet --from DIR`"
        )
    return [line.strip() for line in lines if line.strip()]
