"""What runs have left in files, as numbers."""

import json
import logging
from collections.abc import Mapping
from typing import Any
from uuid import UUID

import numpy as np
import safetensors.numpy
from numpy.typing import NDArray
from safetensors import SafetensorError
from scipy import special

from mmix import files

Numbers = NDArray[np.float64]
Json = Any

LOGITS = "logits.safetensors"
REALISATIONS = "realisations.json"
PER_IMAGE = ("error", "nll", "brier")
"""Metrics that are means over the test images."""

_log = logging.getLogger("api")


def folder(root: str, *, run_id: UUID, attempt: int) -> str:
    """Where an attempt's artifacts lie."""
    return f"{root}/runs/{run_id}/{attempt}/artifacts"


def realisations(place: str) -> Mapping[str, Mapping[str, list[float | None]]] | None:
    """Each network's values by selection and metric, from `realisations.json` in this folder; None where it is gone.

    Raises: StorageError
    """
    try:
        document: Json = json.loads(files.read(f"{place}/{REALISATIONS}"))
    except FileNotFoundError:
        return None
    found: Mapping[str, Mapping[str, list[float | None]]] = document["results"]
    return found


def logits(place: str) -> tuple[NDArray[np.float32], NDArray[np.int64]] | None:
    """The logits (N, K) and labels (N,) of the test split in this folder; None where they are gone or broken.

    Raises: StorageError
    """
    try:
        found = safetensors.numpy.load(files.read(f"{place}/{LOGITS}"))
        return found["logits"], found["labels"]
    except FileNotFoundError:
        return None
    except (SafetensorError, KeyError) as error:
        _log.warning("%s/%s can't be read: %s", place, LOGITS, error)
        return None


def per_image(metric: str, logits: NDArray[np.float32], labels: NDArray[np.int64]) -> Numbers:
    """The metric, one of PER_IMAGE, of each test image, (N,). logits: (N, K). labels: (N,)."""
    scores = logits.astype(np.float64)
    if metric == "error":
        return np.asarray(scores.argmax(axis=1) != labels, dtype=np.float64)
    log_probabilities = scores - special.logsumexp(scores, axis=1, keepdims=True)
    places = np.arange(len(labels))
    if metric == "nll":
        return np.asarray(-log_probabilities[places, labels])
    assert metric == "brier"
    misses = np.exp(log_probabilities)
    misses[places, labels] -= 1
    return np.asarray(np.square(misses).sum(axis=1))
