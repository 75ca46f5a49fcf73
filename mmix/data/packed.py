"""Decoded images in one file: read in a moment, and verified every time."""

import json
from dataclasses import dataclass
from pathlib import Path

import safetensors
import safetensors.torch

from mmix.data import durable
from mmix.data.dataset import Split, checksum
from mmix.data.images import Images
from mmix.data.layout import PACKED
from mmix.errors import DataBroken

FILE = PACKED
_FORMAT = "mmix-images-1"


@dataclass(frozen=True)
class Header:
    """What a packed file says of itself; its pixels have not been looked at."""

    train_images: int
    test_images: int
    classes: tuple[str, ...]
    checksum: str


def write(path: Path, images: Images) -> str:
    """Packs the images into one file, in one step; returns their checksum."""
    splits = {"train": images.train, "test": images.test}
    tensors = {f"{name}.{part}": getattr(split, part) for name, split in splits.items() for part in "xy"}
    digest = checksum([images.train, images.test])
    metadata = {"format": _FORMAT, "classes": json.dumps(images.classes), "checksum": digest}
    durable.write(path, safetensors.torch.save(tensors, metadata))
    return digest


def read(path: Path, *, remedy: str) -> tuple[Images, str]:
    """The images of a packed file and their checksum. `remedy` tells the reader of an error what to do.

    Raises: DataBroken where the file is cut off or altered, or was not written by this module.
    """
    said = header(path, remedy=remedy)
    try:
        tensors = safetensors.torch.load_file(path)
        train, test = (Split(x=tensors[f"{name}.x"], y=tensors[f"{name}.y"]) for name in ("train", "test"))
    except (safetensors.SafetensorError, OSError, KeyError) as error:
        raise _broken(path, str(error), remedy) from error
    if checksum([train, test]) != said.checksum:
        raise _broken(path, "its content doesn't match its checksum", remedy)
    return Images(train=train, test=test, classes=said.classes), said.checksum


def header(path: Path, *, remedy: str) -> Header:
    """Sizes and classes of a packed file, without reading its pixels.

    Raises: DataBroken where they can't be read.
    """
    try:
        with safetensors.safe_open(path, "pt") as file:
            metadata = file.metadata() or {}
            train, test = (file.get_slice(f"{name}.x").get_shape()[0] for name in ("train", "test"))
        return Header(train, test, tuple(json.loads(metadata["classes"])), metadata["checksum"])
    except (safetensors.SafetensorError, OSError, KeyError, ValueError) as error:
        raise _broken(path, str(error), remedy) from error


def _broken(path: Path, reason: str, remedy: str) -> DataBroken:
    return DataBroken(f"{path} is broken ({reason}): {remedy}")
