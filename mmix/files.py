"""Files in a place that may be a folder of this machine or a URL that fsspec knows: `/srv/mmix`, `s3://bucket/mmix`."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import fsspec
from fsspec import AbstractFileSystem
from fsspec.implementations.local import LocalFileSystem

from mmix.errors import StorageError

_CHUNK_BYTES = 1 << 20


def is_url(place: str) -> bool:
    """Whether the place is a URL; else it is a path."""
    return "://" in place


def read(place: str) -> bytes:
    """What the file holds.

    Raises: FileNotFoundError, StorageError
    """
    with _explained(place, "read"):
        system, path = _found(place)
        content: bytes = system.cat_file(path)
        return content


def chunks(place: str) -> Iterator[bytes]:
    """What the file holds, in parts of a megabyte; it is open before the first is asked for.

    Raises: FileNotFoundError, StorageError
    """
    with _explained(place, "read"):
        system, path = _found(place)
        file = system.open(path, "rb")

    def parts() -> Iterator[bytes]:
        with file, _explained(place, "read"):
            while part := file.read(_CHUNK_BYTES):
                yield part

    return parts()


def write(place: str, content: bytes) -> None:
    """Writes a small file there.

    Raises: StorageError
    """
    with _explained(place, "written"):
        system, path = _found(place)
        system.makedirs(system._parent(path), exist_ok=True)
        system.pipe_file(path, content)


def put(path: Path, place: str) -> None:
    """Copies a file there.

    Raises: StorageError
    """
    with _explained(place, "written"):
        system, there = _found(place)
        system.makedirs(system._parent(there), exist_ok=True)
        system.put_file(str(path), there)


def delete(place: str) -> None:
    """Deletes the file, and its folder where that is empty then; nothing where it is gone already.

    Raises: StorageError
    """
    with _explained(place, "deleted"):
        system, path = _found(place)
        try:
            system.rm_file(path)
        except FileNotFoundError:
            return
        if isinstance(system, LocalFileSystem):
            _leave_no_empty_folders(Path(path))


def sizes(folder: str) -> dict[str, int]:
    """The size in bytes of each file below the folder, by its path from there; none where there is no folder.

    Raises: StorageError
    """
    with _explained(folder, "listed"):
        system, path = _found(folder)
        found = system.find(path, detail=True)
        return {name[len(path.rstrip("/")) + 1 :]: int(each["size"]) for name, each in found.items()}


def _found(place: str) -> tuple[AbstractFileSystem, str]:
    """The file system and the path in it; what it lists is asked for each time, as others write there too."""
    system, path = fsspec.core.url_to_fs(place if is_url(place) else f"file://{place}", use_listings_cache=False)
    return system, str(path)


@contextmanager
def _explained(place: str, done: str) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise
    except Exception as error:  # each file system has errors of its own, not all of them OSErrors
        raise StorageError(f"{place} can't be {done} ({type(error).__name__}: {error})") from error


def _leave_no_empty_folders(path: Path) -> None:
    """Deletes the folder of a file that is gone, and the one above, where nothing lies there."""
    for folder in list(path.parents)[:2]:
        try:
            folder.rmdir()
        except OSError:
            return
