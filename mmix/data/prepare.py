"""Brings data sets to this machine: what `mmix data prepare` does."""

from pathlib import Path
from typing import assert_never

from pydantic import ValidationError

from mmix.data import archives, images, layout, packed, published, tiny_imagenet
from mmix.data.catalogue import ARCHIVES, Archive
from mmix.data.dataset import checksum
from mmix.data.images import Images
from mmix.data.kinds import Kind
from mmix.errors import DataBroken, DataError, SpecError
from mmix.spec.data import Folder


def prepare(kind: Kind, name: str | None, *, source: Path | None, download: bool, data_folder: Path) -> str:
    """Does what one call of `mmix data prepare` asks for; returns a line that says what lies where.

    Raises: SpecError where the request makes no sense, and what the functions below raise.
    """
    match kind:
        case "digits" | "gaussian_mixture" | "spirals":
            raise SpecError(f"{kind} needs no files: there is nothing to prepare")
        case "imagenet":
            place = data_folder / kind
            raise SpecError(
                f"imagenet is read where it lies: put its train/ and val/ into {place}, or make that a link"
            )
        case "cifar10" | "cifar100" | "svhn" | "mnist" | "fashion_mnist":
            archive = next(archive for archive in ARCHIVES if archive.kind == kind)
            if download == (source is not None):
                raise SpecError(f"say where {archive.title} comes from: either `--from DIR` or `--download`")
            return _download(archive, data_folder) if source is None else _archive(archive, source, data_folder)
        case "tiny_imagenet":
            if source is None or download:
                raise SpecError("tiny_imagenet can't be downloaded: `mmix data prepare tiny_imagenet --from DIR`")
            return _pack(tiny_imagenet.read(source), data_folder / kind / packed.FILE)
        case "folder":
            if name is None or source is None or download:
                raise SpecError("a folder needs both: `mmix data prepare folder NAME --from DIR`")
            return _folder(name, source, data_folder)
        case _:
            assert_never(kind)


def _folder(name: str, source: Path, data_folder: Path) -> str:
    """Registers a folder of images under a name: reads every image and packs them into one file.

    Raises: SpecError where the name can't be used, DataMissing or DataBroken where the images can't,
        DataError where another data set has this name. In all these cases nothing is written.
    """
    try:
        Folder(kind="folder", name=name)
    except ValidationError as error:
        raise SpecError(
            f"{name!r} can't name a data set: use lower-case letters, digits, '-' and '_', 64 at most"
        ) from error
    return _pack(images.read(source), layout.registered(name, data_folder) / packed.FILE)


def _archive(archive: Archive, source: Path, data_folder: Path) -> str:
    """Packs a published data set from torchvision's archive or from a folder of images.

    Raises: DataMissing or DataBroken where the source can't be used, DataError where other data lie there
        already. In all these cases nothing is written.
    """
    return _pack(published.read(archive, source), data_folder / archive.kind / packed.FILE)


def _download(archive: Archive, data_folder: Path) -> str:
    """Fetches torchvision's archive and verifies it.

    Raises: DataMissing where it can't be fetched, DataBroken where what came, or what lies there, is another.
        Nothing is left behind in these cases.
    """
    place = data_folder / archive.kind
    target = place / archive.parts[0]
    if target.exists():
        published.read(archive, place)
        return f"{target} is there already and whole; nothing was written"
    archives.download(archive, place)
    return f"{target}: {archive.title}, {archive.train_images} training and {archive.test_images} test images"


def _pack(found: Images, target: Path) -> str:
    sizes = f"{len(found.train)} training and {len(found.test)} test images in {len(found.classes)} classes"
    present = _present(target)
    if present == (found.classes, checksum([found.train, found.test])):
        return f"{target}: {sizes}, there already; nothing was written"
    if present is not None:
        raise DataError(f"{target} holds other data: delete it first, or choose another name")
    packed.write(target, found)
    return f"{target}: {sizes}"


def _present(target: Path) -> tuple[tuple[str, ...], str] | None:
    """Classes and checksum of the packed file that lies there; None where there is none or it is broken."""
    if not target.exists():
        return None
    try:
        found, digest = packed.read(target, remedy="")
    except DataBroken:
        return None  # a broken file may be replaced: its own error message says so
    return found.classes, digest
