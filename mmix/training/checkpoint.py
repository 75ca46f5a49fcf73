"""What a run needs to go on as if it had never stopped, on disk and verified.

Two files an epoch: the tensors, and a JSON document that vouches for them and for itself by SHA-256. It is
written last, so tensors without it are an unfinished checkpoint. Nothing is pickled.
"""

import contextlib
import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import safetensors.torch
from torch import Tensor

from mmix import files
from mmix.data import durable
from mmix.errors import CheckpointBroken, StorageError

KEPT = 2  # the newest, and the one before in case the newest doesn't verify
Identity = Mapping[str, str | int]
"""What a checkpoint must share with the run that resumes from it: digest, seed, data."""
Candidate = TypeVar("Candidate")


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """A checkpoint that verified. `epoch` counts the epochs done; `history` has the metrics of each."""

    epoch: int
    history: tuple[dict[str, float], ...]
    tensors: dict[str, Tensor]
    sha256: str


@dataclass(frozen=True)
class Vouched:
    """A checkpoint that was written whole: where its tensors lie, a path or a URL, and their SHA-256."""

    place: str
    sha256: str


@dataclass(frozen=True, eq=False)
class Search:
    """The newest checkpoint that verified, if any, and a line on each that was passed over."""

    checkpoint: Checkpoint | None
    skipped: tuple[str, ...]


def save(
    folder: Path,
    *,
    epoch: int,
    tensors: Mapping[str, Tensor],
    history: Sequence[Mapping[str, float]],
    identity: Identity,
) -> tuple[Path, str]:
    """Writes the checkpoint of a finished epoch; the path of its tensors and their SHA-256.

    tensors: contiguous, in main memory.

    Raises: OSError where it can't be written, as the disk is full; nothing is left of it then.
    """
    content = safetensors.torch.save(dict(tensors))
    digest = hashlib.sha256(content).hexdigest()
    path = folder / f"epoch-{epoch:06d}.safetensors"
    # The old vouching goes first: it must not stand beside tensors that it doesn't know.
    path.with_suffix(".json").unlink(missing_ok=True)
    document = {"epoch": epoch, "history": list(history), "sha256": digest, "identity": dict(identity)}
    try:
        durable.write(path, content)
        durable.write(path.with_suffix(".json"), _dump({**document, "seal": _seal(document)}))
    except OSError:
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)  # tensors without a document are of no use, and take room
        raise
    return path, digest


def delete_old(folder: Path) -> None:
    """Deletes all checkpoints in the folder but the newest two."""
    for document in sorted(folder.glob("epoch-*.json"))[:-KEPT]:
        document.unlink()  # first what vouches, then what it vouched for
        document.with_suffix(".safetensors").unlink(missing_ok=True)


def newest(folders: Sequence[Path], *, identity: Identity) -> Search:
    """Looks through the folders for the newest checkpoint of this run that verifies."""
    written = sorted(_written(folders), key=lambda path: path.name, reverse=True)
    return _first(written, lambda path: _read(str(path.with_suffix(".safetensors")), identity))


def first(known: Sequence[Vouched], *, identity: Identity) -> Search:
    """Looks through these for the first checkpoint of this run that verifies; one that can't be read doesn't."""
    return _first(known, lambda vouched: _of_record(vouched, identity))


def _first(candidates: Iterable[Candidate], read: Callable[[Candidate], Checkpoint]) -> Search:
    skipped: list[str] = []
    for candidate in candidates:
        try:
            return Search(read(candidate), tuple(skipped))
        except CheckpointBroken as error:
            skipped.append(str(error))
    return Search(None, tuple(skipped))


def _of_record(vouched: Vouched, identity: Identity) -> Checkpoint:
    found = _read(vouched.place, identity)
    if found.sha256 != vouched.sha256:
        raise CheckpointBroken(f"{vouched.place} is not the checkpoint that was registered: its checksum is another")
    return found


def _written(folders: Sequence[Path]) -> list[Path]:
    return [path for folder in folders if folder.is_dir() for path in folder.glob("epoch-*.json")]


def _read(place: str, identity: Identity) -> Checkpoint:
    """Raises: CheckpointBroken where the checkpoint can't be read, doesn't verify or belongs to another run."""
    name = place.removesuffix(".safetensors") + ".json"
    document = _document(name)
    if document["identity"] != dict(identity):
        raise CheckpointBroken(f"{name} belongs to another run: another spec, seed or data")
    content = _content(place)
    if hashlib.sha256(content).hexdigest() != document["sha256"]:
        raise CheckpointBroken(f"{place} is broken: it doesn't match the checksum in {Path(name).name}")
    loaded = safetensors.torch.load(content)
    return Checkpoint(document["epoch"], tuple(document["history"]), loaded, document["sha256"])


def _document(name: str) -> dict[str, Any]:
    try:
        document: dict[str, Any] = json.loads(_content(name))
        seal = document.pop("seal")
    except (ValueError, KeyError, AttributeError, TypeError) as error:
        raise CheckpointBroken(f"{name} can't be read ({error})") from error
    if seal != _seal(document):
        raise CheckpointBroken(f"{name} is broken: it doesn't match its own checksum")
    return document


def _content(place: str) -> bytes:
    try:
        return files.read(place)
    except FileNotFoundError as error:
        raise CheckpointBroken(f"{place} is missing") from error
    except StorageError as error:
        raise CheckpointBroken(str(error)) from error


def _seal(document: Mapping[str, object]) -> str:
    return hashlib.sha256(_dump(document)).hexdigest()


def _dump(document: Mapping[str, object]) -> bytes:
    return json.dumps(document, sort_keys=True, allow_nan=False).encode()
