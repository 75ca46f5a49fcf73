"""Which data sets this machine has, found out without reading them."""

from dataclasses import dataclass
from pathlib import Path

from mmix.data import archives, digits, images, layout, packed
from mmix.data.catalogue import ARCHIVES, Archive
from mmix.errors import DataError


@dataclass(frozen=True)
class Listed:
    """A row of `mmix data list`. `state` is "ready" or says what is wrong; numbers are None where unknown."""

    name: str
    where: str
    train_images: int | None
    test_images: int | None
    classes: int | None
    state: str


def listing(data_folder: Path) -> list[Listed]:
    """All data sets that are known or registered here. Sizes are read, pixels are not verified."""
    return [
        Listed("digits", "scikit-learn", digits.TRAIN_IMAGES, digits.TEST_IMAGES, 10, "ready"),
        *[Listed(name, "drawn from data.seed", None, None, None, "ready") for name in ("gaussian_mixture", "spirals")],
        *[_archive(archive, data_folder / archive.kind) for archive in ARCHIVES],
        _tiny_imagenet(data_folder / "tiny_imagenet"),
        _imagenet(data_folder / "imagenet"),
        *[_found(f"folder:{name}", layout.registered(name, data_folder)) for name in layout.names(data_folder)],
    ]


def _archive(archive: Archive, place: Path) -> Listed:
    root = archives.find(archive, place)
    if root is not None:
        sizes = archive.train_images, archive.test_images, len(archive.classes)
        return Listed(archive.kind, str(root / archive.parts[0]), *sizes, "ready")
    if not place.is_dir():
        return _missing(archive.kind, place, f"run `mmix data prepare {archive.kind} --download` or `... --from DIR`")
    return _found(archive.kind, place)


def _tiny_imagenet(place: Path) -> Listed:
    if not place.is_dir():
        return _missing("tiny_imagenet", place, "run `mmix data prepare tiny_imagenet --from DIR`")
    if (layout.tiny_imagenet_root(place) / "wnids.txt").is_file():
        return Listed("tiny_imagenet", str(place), None, None, None, "ready, not packed")
    return _found("tiny_imagenet", place)


def _imagenet(place: Path) -> Listed:
    if not all((place / split).is_dir() for split in layout.IMAGENET_SPLITS):
        return _missing("imagenet", place, "put its train/ and val/ there, or make it a link to where they lie")
    return Listed("imagenet", str(place), None, None, len(images.folders(place / "train")), "ready, streamed")


def _missing(name: str, place: Path, remedy: str) -> Listed:
    return Listed(name, str(place), None, None, None, f"missing: {remedy}")


def _found(name: str, place: Path) -> Listed:
    file = place / packed.FILE
    try:
        if file.is_file():
            header = packed.header(file, remedy="run `mmix data prepare` again")
            classes = len(header.classes)
            return Listed(name, str(file), header.train_images, header.test_images, classes, "ready")
        train, test = (images.files(place / split) for split in ("train", "test"))
        train_images, test_images = (sum(map(len, split.values())) for split in (train, test))
        return Listed(name, str(place), train_images, test_images, len(train), "ready, not packed")
    except (DataError, OSError) as error:
        return Listed(name, str(place), None, None, None, f"broken: {error}")
