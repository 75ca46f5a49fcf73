"""Reads a folder of images: DIR/{train,test}/<class>/<image>."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from mmix.data.dataset import Split
from mmix.errors import DataBroken, DataMissing

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".webp", ".gif", ".ppm", ".pgm", ".tif", ".tiff"})
EIGHT_BIT_MODES = frozenset({"1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr"})
LAYOUT = "{train,test}/<class>/<image>"
# What Pillow raises on files that are cut off, altered or no images at all.
BROKEN = (OSError, SyntaxError, ValueError, EOFError, IndexError, Image.DecompressionBombError)


@dataclass(frozen=True, eq=False)
class Images:
    """A training and a test split whose labels are positions in `classes`."""

    train: Split
    test: Split
    classes: tuple[str, ...]


def read(folder: Path) -> Images:
    """The images of all class folders as RGB, classes and files in the order of their names.

    Raises: DataMissing where a folder or all of its images are missing, DataBroken where an image can't be
        read, differs in size, or the class folders of both splits differ.
    """
    listed = {split: files(folder / split) for split in ("train", "test")}
    _check_classes(folder, tuple(listed["train"]), tuple(listed["test"]))
    paths = [path for split in listed.values() for of_class in split.values() for path in of_class]
    pixels = _pixels(paths)
    cut = sum(len(of_class) for of_class in listed["train"].values())
    return Images(
        train=Split(x=pixels[:cut], y=_labels(list(listed["train"].values()))),
        test=Split(x=pixels[cut:], y=_labels(list(listed["test"].values()))),
        classes=tuple(listed["train"]),
    )


def files(split: Path) -> dict[str, list[Path]]:
    """The image files of one split for each class, sorted; hidden files are passed over.

    Raises: DataMissing where the split, its class folders or a class's images are missing, DataBroken where
        a class folder holds something else than images.
    """
    if not split.is_dir():
        raise DataMissing(f"{split} is no folder: put the images at {split.parent}/{LAYOUT}")
    classes = sorted(path for path in _visible(split) if path.is_dir())
    if len(classes) < 2:
        raise DataMissing(f"{split} has {len(classes)} class folders and needs two or more: {LAYOUT}")
    return {path.name: _images(path) for path in classes}


def _images(folder: Path) -> list[Path]:
    paths = sorted(_visible(folder))
    if not paths:
        raise DataMissing(f"{folder} holds no images: put some there or remove the folder")
    for path in paths:
        if path.suffix.lower() not in SUFFIXES:
            known = ", ".join(sorted(SUFFIXES))
            raise DataBroken(f"{path} is no image file (known: {known}): convert it or take it away")
    return paths


def _visible(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if not path.name.startswith(".")]


def _check_classes(folder: Path, train: tuple[str, ...], test: tuple[str, ...]) -> None:
    if train == test:
        return
    name = sorted(set(train) ^ set(test))[0]
    missing = "test" if name in train else "train"
    raise DataMissing(f"{folder / missing} has no class folder {name!r}, the other split has: both need the same ones")


def _labels(of_classes: Sequence[Sequence[Path]]) -> torch.Tensor:
    sizes = torch.tensor([len(paths) for paths in of_classes])
    return torch.repeat_interleave(torch.arange(len(of_classes)), sizes)


def _pixels(paths: Sequence[Path]) -> torch.Tensor:
    """(N, 3, H, W), uint8."""
    first = _decode(paths[0])
    pixels = np.empty((len(paths), *first.shape), np.uint8)

    def place(position: int) -> None:
        image = _decode(paths[position])
        if image.shape != first.shape:
            raise DataBroken(
                f"{paths[position]} is {_size(image)} pixels, but {paths[0]} is {_size(first)}: "
                "all images must have one size; resize them"
            )
        pixels[position] = image

    with ThreadPoolExecutor(8) as pool:  # Pillow decodes without holding the interpreter's lock
        for _ in pool.map(place, range(len(paths))):
            pass
    return torch.from_numpy(np.ascontiguousarray(pixels.transpose(0, 3, 1, 2)))


def _decode(path: Path) -> np.ndarray:
    """(H, W, 3), uint8."""
    try:
        with Image.open(path) as image:
            if image.mode not in EIGHT_BIT_MODES:
                raise DataBroken(f"{path} has pixels of mode {image.mode!r}: convert it to 8 bits a channel")
            return np.asarray(image.convert("RGB"))
    except BROKEN as error:
        raise DataBroken(f"{path} can't be read as an image ({error}): replace it or take it away") from error


def _size(image: np.ndarray) -> str:
    return f"{image.shape[1]} x {image.shape[0]}"
