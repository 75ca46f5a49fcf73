"""The data sets that lie on this machine, found without torch and without reading them."""

import os
import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from mmix.data import layout
from mmix.spec.data import FOLDER_NAME, Folder, name_of

_HEADER_BYTES = 2**24  # what a packed file says of itself is a few thousand bytes; of a broken one, anything


class _Tensor(BaseModel):
    data_offsets: tuple[int, int]


class _Metadata(BaseModel):
    checksum: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class _Header(BaseModel):
    """How a safetensors file begins: what it says of itself, and where each tensor lies."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, _Tensor] = Field(init=False)

    metadata: _Metadata = Field(alias="__metadata__")

    @property
    def tensor_bytes(self) -> int:
        """How many bytes follow."""
        return max((tensor.data_offsets[1] for tensor in self.__pydantic_extra__.values()), default=0)


def look(data_folder: Path) -> dict[str, str | None]:
    """Every data set that a run may be trained on here, with its checksum.

    The checksum is None where only reading all of it would tell. A packed file that is cut off or can't be read isn't
    there.
    """
    found: dict[str, str | None] = {}
    for name, checksums in _looks(data_folder):
        with suppress(OSError, ValueError):  # one that can't be looked at doesn't hide the others
            for checksum in checksums:
                found[name] = checksum
    return found


def _looks(data_folder: Path) -> Iterator[tuple[str, Iterator[str | None]]]:
    """For each name a look that yields the data set's checksum, or nothing where there is no such data set."""
    for kind, parts in layout.ARCHIVES.items():
        yield kind, _archive(data_folder / kind, parts)
    yield "tiny_imagenet", _tiny_imagenet(data_folder / "tiny_imagenet")
    yield "imagenet", _unpacked(data_folder / "imagenet", layout.IMAGENET_SPLITS)
    for name in _own_names(data_folder):
        yield name_of(Folder(kind="folder", name=name)), _images(layout.registered(name, data_folder))


def _own_names(data_folder: Path) -> list[str]:
    try:
        return [name for name in layout.names(data_folder) if re.match(FOLDER_NAME, name)]
    except OSError:
        return []


def _archive(place: Path, parts: tuple[str, ...]) -> Iterator[str | None]:
    if layout.archive_root(parts, place) is not None:
        yield None  # whoever loads it takes it before a packed file
    else:
        yield from _images(place)


def _tiny_imagenet(place: Path) -> Iterator[str | None]:
    if (place / layout.PACKED).is_file():
        yield from _packed(place / layout.PACKED)
    else:
        yield from _unpacked(layout.tiny_imagenet_root(place), layout.TINY_IMAGENET_PARTS)


def _images(place: Path) -> Iterator[str | None]:
    if (place / layout.PACKED).is_file():
        yield from _packed(place / layout.PACKED)
    else:
        yield from _unpacked(place, layout.SPLITS)


def _unpacked(place: Path, parts: Iterable[str]) -> Iterator[None]:
    if all((place / part).exists() for part in parts):
        yield None


def _packed(path: Path) -> Iterator[str]:
    """The checksum in the file's header, where the file is as long as the header says."""
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        header_bytes = int.from_bytes(file.read(8), "little")
        if header_bytes > _HEADER_BYTES:
            return
        header = _Header.model_validate_json(file.read(header_bytes))
    if size == 8 + header_bytes + header.tensor_bytes:
        yield header.metadata.checksum
