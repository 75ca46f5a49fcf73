"""Data sets that the user brings: images in class folders, registered under a name."""

from pathlib import Path

from mmix.data import images, layout, packed
from mmix.data.dataset import Dataset, checksum, measure
from mmix.errors import DataMissing
from mmix.spec.data import Folder, name_of


def folder(data: Folder, data_folder: Path) -> Dataset:
    """The registered data set, from its packed file or from its folder of images.

    Raises: DataMissing where nothing is registered under the name, DataBroken where it can't be used.
    """
    place = layout.registered(data.name, data_folder)
    if (place / packed.FILE).is_file():
        found, digest = packed.read(place / packed.FILE, remedy=remedy(data.name))
    elif place.is_dir():
        found = images.read(place)
        digest = checksum([found.train, found.test])
    else:
        raise DataMissing(
            f"no data set is registered as {data.name!r} ({place} is missing): "
            f"run `mmix data prepare folder {data.name} --from DIR`"
        )
    return Dataset(name_of(data), found.train, found.test, found.classes, measure(found.train), digest)


def remedy(name: str) -> str:
    """What to do where the packed file is broken."""
    return f"run `mmix data prepare folder {name} --from DIR` again"
