"""Brings data sets to this machine: what `mmix data prepare` does."""

import shutil
import tempfile
from pathlib import Path
from typing import Literal, assert_never

from pydantic import ValidationError

from mmix.data import cifar10, folder, images, packed
from mmix.data.dataset import checksum
from mmix.data.images import Images
from mmix.data.torchvision_import import torchvision
from mmix.errors import DataBroken, DataError, DataMissing, SpecError
from mmix.spec.data import Folder

Kind = Literal["digits", "cifar10", "folder"]


def prepare(kind: Kind, name: str | None, *, source: Path | None, download: bool, data_folder: Path) -> str:
    """Does what one call of `mmix data prepare` asks for; returns a line that says what lies where.

    Raises: SpecError where the request makes no sense, and what the three functions below raise.
    """
    match kind:
        case "digits":
            raise SpecError("digits come with scikit-learn: there is nothing to prepare")
        case "cifar10":
            if download == (source is not None):
                raise SpecError("say where CIFAR-10 comes from: either `--from DIR` or `--download`")
            return download_cifar10(data_folder) if source is None else prepare_cifar10(source, data_folder)
        case "folder":
            if name is None or source is None or download:
                raise SpecError("a folder needs both: `mmix data prepare folder NAME --from DIR`")
            return prepare_folder(name, source, data_folder)
        case _:
            assert_never(kind)


def prepare_folder(name: str, source: Path, data_folder: Path) -> str:
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
    target = folder.place_of(name, data_folder) / packed.FILE
    return _pack(images.read(source), target)


def prepare_cifar10(source: Path, data_folder: Path) -> str:
    """Packs CIFAR-10 from torchvision's archive or from a folder of images.

    Raises: DataMissing or DataBroken where the source can't be used, DataError where other data lie there
        already. In all these cases nothing is written.
    """
    found = _cifar10(source)
    cifar10.check_classes(found, source)
    return _pack(found, data_folder / "cifar10" / packed.FILE)


def download_cifar10(data_folder: Path) -> str:
    """Fetches torchvision's archive of CIFAR-10 (170 MB) and verifies it.

    Raises: DataMissing where it can't be fetched, DataBroken where what came isn't CIFAR-10. Nothing is left
        behind in these cases.
    """
    target = data_folder / "cifar10" / cifar10.ARCHIVE
    if target.exists():
        cifar10.archive(target.parent)
        return f"{target} is there already and whole; nothing was written"
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".download-", dir=target.parent) as part:
        try:
            torchvision("datasets").CIFAR10(part, download=True)
        except (OSError, RuntimeError) as error:
            raise DataMissing(
                f"CIFAR-10 couldn't be downloaded ({error}): try again, "
                "or run `mmix data prepare cifar10 --from DIR` with a copy that you have"
            ) from error
        cifar10.archive(Path(part))
        shutil.move(Path(part) / cifar10.ARCHIVE, target)
    return f"{target}: CIFAR-10, 50000 training and 10000 test images"


def _cifar10(source: Path) -> Images:
    if source.name == cifar10.ARCHIVE:
        return cifar10.archive(source.parent)
    if (source / cifar10.ARCHIVE).is_dir():
        return cifar10.archive(source)
    return images.read(source)


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
