"""Reads a folder of images: DIR/{train,test}/<class>/<image>."""

from collections.abc import Collection, Mapping, Sequence
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
    check_classes(folder, listed)
    x = pixels([path for split in listed.values() for paths in split.values() for path in paths])
    y = {name: labels(list(split.values())) for name, split in listed.items()}
    cut = len(y["train"])
    return Images(
        train=Split(x=x[:cut], y=y["train"]),
        test=Split(x=x[cut:], y=y["test"]),
        classes=tuple(listed["train"]),
    )


def files(split: Path) -> dict[str, list[Path]]:
    """The image files of one split for each class, sorted; hidden files are passed over.

    Raises: DataMissing where the split, its class folders or a class's images are missing, DataBroken where
        a class folder holds something else than images.
    """
    if not split.is_dir():
        raise DataMissing(f"{split} is no folder: put the images at {split}/<class>/<image>")
    classes = folders(split)
    if len(classes) < 2:
        raise DataMissing(
            f"{split} has {len(classes)} class folders and needs two or more: put the images at {split}/<class>/<image>"
        )
    return {name: of_class(split / name) for name in classes}


def folders(split: Path) -> list[str]:
    """The names of a split's class folders, sorted."""
    return sorted(path.name for path in _visible(split) if path.is_dir())


def of_class(folder: Path) -> list[Path]:
    """The image files of a folder, sorted.

    Raises: DataMissing where the folder or its images are missing, DataBroken where it holds something else.
    """
    paths = sorted(_visible(folder)) if folder.is_dir() else []
    if not paths:
        raise DataMissing(f"{folder} is missing or holds no images: put some there, or remove the class")
    for path in paths:
        if path.suffix.lower() not in SUFFIXES:
            known = ", ".join(sorted(SUFFIXES))
            raise DataBroken(f"{path} is no image file (known: {known}): convert it or take it away")
    return paths


def _visible(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if not path.name.startswith(".")]


def check_classes(folder: Path, listed: Mapping[str, Collection[str]]) -> None:
    """Raises: DataMissing where one of the splits lacks a class that the other has."""
    (one, classes), (other, others) = listed.items()
    for name in sorted(set(classes) ^ set(others)):
        missing = other if name in classes else one
        raise DataMissing(
            f"{folder / missing} has no class folder {name!r}, the other split has: both need the same ones"
        )


def labels(of_classes: Sequence[Sequence[Path]]) -> torch.Tensor:
    """The label of each file, (N,), int64, where the classes' files stand one after the other."""
    sizes = torch.tensor([len(paths) for paths in of_classes])
    return torch.repeat_interleave(torch.arange(len(of_classes)), sizes)


def pixels(paths: Sequence[Path]) -> torch.Tensor:
    """The images of the files, (N, 3, H, W), uint8.

    Raises: DataBroken where one can't be read or differs in size from the first.
    """
    first = _decode(paths[0])
    decoded = np.empty((len(paths), *first.shape), np.uint8)

    def place(position: int) -> None:
        image = _decode(paths[position])
        if image.shape != first.shape:
            raise DataBroken(
                f"{paths[position]} is {_size(image)} pixels, but {paths[0]} is {_size(first)}: "
                "all images must have one size; resize them"
            )
        decoded[position] = image

    with ThreadPoolExecutor(8) as pool:  # Pillow decodes without holding the interpreter's lock
        for _ in pool.map(place, range(len(paths))):
            pass
    return torch.from_numpy(np.ascontiguousarray(decoded.transpose(0, 3, 1, 2)))


def picture(path: Path) -> Image.Image:
    """The image of a file in RGB, decoded.

    Raises: DataBroken where it can't be read.
    """
    try:
        with Image.open(path) as image:
            if image.mode not in EIGHT_BIT_MODES:
                raise DataBroken(f"{path} has pixels of mode {image.mode!r}: convert it to 8 bits a channel")
            return image.convert("RGB")
    except BROKEN as error:
        raise DataBroken(f"{path} can't be read as an image ({error}): replace it or take it away") from error


def _decode(path: Path) -> np.ndarray:
    """(H, W, 3), uint8."""
    return np.asarray(picture(path))


def _size(image: np.ndarray) -> str:
    return f"{image.shape[1]} x {image.shape[0]}"
