"""What a data set is once it lies in memory."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Self

import torch
from torch import Tensor

from mmix.data.gaussian_mixture import BayesRule
from mmix.data.pixels import Statistics as Statistics  # a data set's statistics are looked for here
from mmix.data.pixels import unit


@dataclass(frozen=True, eq=False)
class Split:
    """Samples and labels. x: images (N, C, H, W), uint8, or points (N, D), float32. y: (N,), int64 in 0..K-1."""

    x: Tensor
    y: Tensor

    def __len__(self) -> int:
        return len(self.y)

    @property
    def shape(self) -> tuple[int, ...]:
        """(C, H, W) of every image, or (D,) of every point."""
        return tuple(self.x.shape[1:])

    def to(self, device: torch.device | str) -> Self:
        """The same split on a device."""
        return replace(self, x=self.x.to(device), y=self.y.to(device))

    def take(self, chosen: Tensor) -> Self:
        """The chosen samples in the order given. chosen: (M,), int64."""
        return replace(self, x=self.x[chosen], y=self.y[chosen])

    def batches(self, size: int) -> Iterator[tuple[Tensor, Tensor]]:
        """The split in order, as it is: neither augmented nor normalised.

        x: images (B, C, H, W), float32 in [0, 1], channels_last; or points (B, D), float32. y: (B,), int64.
        """
        for start in range(0, len(self), size):
            x, y = self.x[start : start + size], self.y[start : start + size]
            yield (unit(x).contiguous(memory_format=torch.channels_last) if x.dim() == 4 else x), y


@dataclass(frozen=True, eq=False)
class Dataset:
    """A data set. `checksum` is the SHA-256 of all pixels or points and labels, before anything was set aside.

    `validation` is there where the spec asks for it, `rule` where the best possible predictions are known.
    """

    name: str
    train: Split
    test: Split
    classes: tuple[str, ...]
    statistics: Statistics
    checksum: str
    validation: Split | None = None
    rule: BayesRule | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """(C, H, W) of every image, or (D,) of every point."""
        return self.train.shape


def checksum(splits: Sequence[Split]) -> str:
    """SHA-256 over shapes, pixels or points, and labels of the splits in turn, as 64 hexadecimal digits."""
    digest = hashlib.sha256()
    for split in splits:
        digest.update(str(tuple(split.x.shape)).encode())
        digest.update(split.x.contiguous().numpy().data)
        digest.update(split.y.contiguous().numpy().data)
    return digest.hexdigest()


def measure(split: Split) -> Statistics:
    """Mean and standard deviation of each channel; a channel without any variation counts as 1/255."""
    # float64 sums of integers do not depend on the number of threads
    pixels = split.x.to(torch.float64) / 255
    std = pixels.std((0, 2, 3), correction=0).clamp(min=1 / 255)
    return Statistics(mean=pixels.mean((0, 2, 3)).float(), std=std.float())
