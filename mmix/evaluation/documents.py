"""What an evaluation leaves beside the checkpoints: JSON documents for figures, and the logits."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import safetensors.torch
from torch import Tensor

from mmix.data import durable
from mmix.errors import StorageError
from mmix.spec.evaluation import Artifact

Json = str | int | float | bool | None | Mapping[str, "Json"] | list["Json"]
VERSION = 1
DIGITS = 7  # of a number in a document: as many as float32 has


def write_document(
    folder: Path, kind: Artifact | Literal["realisations"], units: Mapping[str, str], body: Mapping[str, Json]
) -> Path:
    """Writes one document, whole or not at all; its path. `units` says of each field of numbers what it counts in.

    Raises: StorageError
    """
    path = folder / f"{kind}.json"
    document = {"kind": kind, "version": VERSION, "units": units, **body}
    _write(path, json.dumps(document, allow_nan=False, separators=(",", ":")).encode())
    return path


def write_logits(folder: Path, logits: Tensor, y: Tensor) -> Path:
    """Writes logits (N, K), float32, and labels (N,), int64, from which all metrics of predictions follow; the path.

    Raises: StorageError
    """
    path = folder / "logits.safetensors"
    metadata = {"kind": "logits", "version": str(VERSION), "units": "nats, up to a constant for each sample"}
    tensors = {"logits": logits.cpu().contiguous(), "labels": y.cpu().contiguous()}
    _write(path, safetensors.torch.save(tensors, metadata))
    return path


def numbers(tensor: Tensor) -> list[Json]:
    """The tensor as (nested) lists; fractions with seven digits."""
    found: list[Json] = tensor.tolist()
    return _short(found) if tensor.is_floating_point() else found


def _write(path: Path, content: bytes) -> None:
    try:
        durable.write(path, content)
    except OSError as error:
        reason = error.strerror or str(error)
        raise StorageError(f"{path} can't be written ({reason}): make room, then try again") from error


def _short(values: list[Json]) -> list[Json]:
    return [_short(value) if isinstance(value, list) else float(f"{value:.{DIGITS}g}") for value in values]
