"""ImageNet (ILSVRC 2012) from train/<class>/ and val/<class>/, streamed."""

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from mmix.data import images
from mmix.data.dataset import Dataset, Statistics
from mmix.data.stream import Files, Streamed, workers
from mmix.errors import DataMissing
from mmix.spec.data import ImageNet

# Source: torchvision's references/classification, presets.py
STATISTICS = Statistics(mean=torch.tensor([0.485, 0.456, 0.406]), std=torch.tensor([0.229, 0.224, 0.225]))


def imagenet(data: ImageNet, data_folder: Path) -> Dataset:
    """The data set as files; its published validation split is the test split.

    The checksum is over the names, sizes and labels of all files: reading 150 GB at every start would take an hour.

    Raises: DataMissing where a folder, a class or all its images are missing, DataBroken where something else than
        images lies among them.
    """
    folder = data_folder / "imagenet"
    listed = {split: _listed(folder, split) for split in ("train", "val")}
    images.check_classes(folder, listed)
    train, test = (_split(data, folder / split, of_classes) for split, of_classes in listed.items())
    return Dataset("imagenet", train, test, tuple(listed["train"]), STATISTICS, _checksum([train, test]))


def _listed(folder: Path, split: str) -> dict[str, list[Path]]:
    place = folder / split
    if not place.is_dir():
        raise DataMissing(
            f"ImageNet is not in {folder} ({split}/ is missing): fetch ILSVRC2012_img_train.tar and "
            f"ILSVRC2012_img_val.tar from https://image-net.org (it asks for an account), unpack them to "
            f"{folder}/train/<class>/ and {folder}/val/<class>/, or make {folder} a link to where they lie"
        )
    if not images.folders(place) and any(place.iterdir()):
        raise DataMissing(
            f"{place} is flat: move each image into the folder of its class, {place}/<class>/, named as in train/; "
            "the development kit's ground truth says which class it is"
        )
    return images.files(place)


def _split(data: ImageNet, folder: Path, of_classes: dict[str, list[Path]]) -> Streamed:
    y = images.labels(list(of_classes.values()))
    names = [os.fsencode(f"{name}/{path.name}") for name, paths in of_classes.items() for path in paths]
    files = Files(folder=folder, names=np.array(names))
    return Streamed(torch.arange(len(y)), y, files=files, side=data.side, workers=workers())


def _checksum(splits: Sequence[Streamed]) -> str:
    """SHA-256 over names, sizes and labels, as 64 hexadecimal digits."""
    digest = hashlib.sha256()
    for split in splits:
        for place, label in enumerate(split.y.tolist()):
            path = split.files[place]
            digest.update(f"{path.parent.name}/{path.name} {path.stat().st_size} {label}\n".encode())
    return digest.hexdigest()
