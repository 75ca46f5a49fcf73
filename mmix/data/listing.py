"""Which data sets this machine has, found out without reading them."""

from dataclasses import dataclass
from pathlib import Path

from mmix.data import cifar10, digits, folder, images, packed
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
    registered = data_folder / "folder"
    names = sorted(path.name for path in registered.iterdir() if path.is_dir()) if registered.is_dir() else []
    folders = [_found(f"folder:{name}", folder.place_of(name, data_folder)) for name in names]
    return [_digits(), _cifar10(data_folder / "cifar10"), *folders]


def _digits() -> Listed:
    return Listed("digits", "scikit-learn", digits.TRAIN_IMAGES, digits.TEST_IMAGES, 10, "ready")


def _cifar10(place: Path) -> Listed:
    if (place / cifar10.ARCHIVE).is_dir():
        return Listed("cifar10", str(place / cifar10.ARCHIVE), 50_000, 10_000, 10, "ready")
    if not place.is_dir():
        state = "missing: run `mmix data prepare cifar10 --download` or `... --from DIR`"
        return Listed("cifar10", str(place), None, None, None, state)
    return _found("cifar10", place)


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
