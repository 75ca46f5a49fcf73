"""What a run needs to go on as if it had never stopped, on disk and verified.

Two files an epoch: the tensors, and a JSON document that vouches for them and for itself by SHA-256. It is
written last, so tensors without it are an unfinished checkpoint. Nothing is pickled.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors.torch
from torch import Tensor

from mmix.data import durable
from mmix.errors import CheckpointBroken

KEPT = 2  # the newest, and the one before in case the newest doesn't verify
Identity = Mapping[str, str | int]
"""What a checkpoint must share with the run that resumes from it: digest, seed, data."""


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """A checkpoint that verified. `epoch` counts the epochs done; `history` has the metrics of each."""

    epoch: int
    history: tuple[dict[str, float], ...]
    tensors: dict[str, Tensor]
    path: Path
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
    """Writes the checkpoint of a finished epoch and deletes all but the newest two.

    tensors: contiguous, in main memory. Returns the path of its tensors and their SHA-256.
    """
    content = safetensors.torch.save(dict(tensors))
    digest = hashlib.sha256(content).hexdigest()
    path = folder / f"epoch-{epoch:06d}.safetensors"
    # The old vouching goes first: it must not stand beside tensors that it doesn't know.
    path.with_suffix(".json").unlink(missing_ok=True)
    durable.write(path, content)
    document = {"epoch": epoch, "history": list(history), "sha256": digest, "identity": dict(identity)}
    durable.write(path.with_suffix(".json"), _dump({**document, "seal": _seal(document)}))
    _delete_old(folder)
    return path, digest


def newest(folders: Sequence[Path], *, identity: Identity) -> Search:
    """Looks through the folders for the newest checkpoint of this run that verifies."""
    skipped: list[str] = []
    for path in sorted(_written(folders), key=lambda path: path.name, reverse=True):
        try:
            return Search(_read(path, identity), tuple(skipped))
        except CheckpointBroken as error:
            skipped.append(str(error))
    return Search(None, tuple(skipped))


def _written(folders: Sequence[Path]) -> list[Path]:
    return [path for folder in folders if folder.is_dir() for path in folder.glob("epoch-*.json")]


def _read(path: Path, identity: Identity) -> Checkpoint:
    """Raises: CheckpointBroken where the checkpoint doesn't verify or belongs to another run."""
    document = _document(path)
    if document["identity"] != dict(identity):
        raise CheckpointBroken(f"{path} belongs to another run: another spec, seed or data")
    tensors = path.with_suffix(".safetensors")
    try:
        content = tensors.read_bytes()
    except OSError as error:
        raise CheckpointBroken(f"{tensors} can't be read ({error})") from error
    if hashlib.sha256(content).hexdigest() != document["sha256"]:
        raise CheckpointBroken(f"{tensors} is broken: it doesn't match the checksum in {path.name}")
    loaded = safetensors.torch.load(content)
    return Checkpoint(document["epoch"], tuple(document["history"]), loaded, tensors, document["sha256"])


def _document(path: Path) -> dict[str, Any]:
    try:
        document: dict[str, Any] = json.loads(path.read_bytes())
        seal = document.pop("seal")
    except (OSError, ValueError, KeyError, AttributeError, TypeError) as error:
        raise CheckpointBroken(f"{path} can't be read ({error})") from error
    if seal != _seal(document):
        raise CheckpointBroken(f"{path} is broken: it doesn't match its own checksum")
    return document


def _delete_old(folder: Path) -> None:
    for document in sorted(folder.glob("epoch-*.json"))[:-KEPT]:
        document.unlink()  # first what vouches, then what it vouched for
        document.with_suffix(".safetensors").unlink(missing_ok=True)


def _seal(document: Mapping[str, object]) -> str:
    return hashlib.sha256(_dump(document)).hexdigest()


def _dump(document: Mapping[str, object]) -> bytes:
    return json.dumps(document, sort_keys=True, allow_nan=False).encode()
