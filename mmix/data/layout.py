"""Where data sets lie under the data folder. Loads no torch: whoever only looks what is there needs none."""

from collections.abc import Sequence
from pathlib import Path

PACKED = "images.safetensors"
"""The file of decoded images that `mmix data prepare` writes."""

ARCHIVES: dict[str, tuple[str, ...]] = {
    "cifar10": ("cifar-10-batches-py",),
    "cifar100": ("cifar-100-python",),
    "svhn": ("train_32x32.mat", "test_32x32.mat"),
    "mnist": ("MNIST/raw",),
    "fashion_mnist": ("FashionMNIST/raw",),
}
"""What torchvision leaves in the folder of each published data set; the first part tells that the archive is there."""

SPLITS = ("train", "test")
"""The folders of a data set that lies there as images in class folders."""

IMAGENET_SPLITS = ("train", "val")

TINY_IMAGENET = "tiny-imagenet-200"
TINY_IMAGENET_PARTS = ("wnids.txt", "train", "val/val_annotations.txt")


def registered(name: str, data_folder: Path) -> Path:
    """Where a data set lies that the user brought."""
    return data_folder / "folder" / name


def names(data_folder: Path) -> list[str]:
    """The names of the data sets that the user brought, sorted.

    Raises: OSError where the folder can't be looked into.
    """
    place = registered("", data_folder)
    return sorted(path.name for path in place.iterdir() if path.is_dir()) if place.is_dir() else []


def archive_root(parts: Sequence[str], folder: Path) -> Path | None:
    """The folder that torchvision would call the root: `folder`, or one above it where `folder` is the archive's own.

    None where the archive isn't there.
    """
    place = folder.absolute()
    for root in (place, *place.parents):
        first = root / parts[0]
        if first.exists() and first.is_relative_to(place):
            return root
    return None


def tiny_imagenet_root(folder: Path) -> Path:
    """The folder that holds Tiny-ImageNet's own files: the archive's, where it was unpacked as a whole."""
    return folder / TINY_IMAGENET if (folder / TINY_IMAGENET).is_dir() else folder
