"""Where all randomness comes from: tables that are pure functions of (seed, purpose, epoch, group)."""

import hashlib
from typing import Literal

import numpy as np

Purpose = Literal[
    "init",
    "points",
    "validation",
    "subset",
    "label_noise",
    "order",
    "second_order",
    "crop",
    "flip",
    "layer",
    "lam",
    "partner",
    "patch",
    "dropout",
    "attack",
    "deformation",
    "ood",
    "mmlb",
    "box",
]


def generator(*, seed: int, purpose: Purpose, epoch: int, group: int = 0) -> np.random.Generator:
    """A fresh counter-based generator (Philox) for one purpose in one epoch.

    It has no history: whoever asks with the same arguments gets the same numbers, in any process, in any
    order, after any restart. Purposes do not disturb each other, so a method that draws more than another
    still sees the same data order and the same initial weights. `group` is for what must differ between
    the ranks that share a batch. numpy may change its distributions between versions, so results record it.
    """
    return np.random.Generator(np.random.Philox(key=_key(seed, purpose, epoch, group)))


def torch_seed(*, seed: int, purpose: Purpose) -> int:
    """A number in 0..2**63-1 for torch's own generator, where torch must draw by itself."""
    return _key(seed, purpose, 0, 0) >> 65


def _key(seed: int, purpose: Purpose, epoch: int, group: int) -> int:
    name = f"mmix:{seed}:{purpose}:{epoch}:{group}"
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:16], "big")
