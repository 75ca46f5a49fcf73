"""What a data set is once it lies in memory."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Split:
    """Images and labels. x: (N, C, H, W), uint8. y: (N,), int64 in 0..K-1."""

    x: Tensor
    y: Tensor

    def __len__(self) -> int:
        return len(self.y)

    def to(self, device: torch.device | str) -> Self:
        """The same split on a device."""
        return type(self)(x=self.x.to(device), y=self.y.to(device))


@dataclass(frozen=True, eq=False)
class Statistics:
    """By what images are normalised. mean, std: (C,), on the 0..1 scale of pixels."""

    mean: Tensor
    std: Tensor

    def to(self, device: torch.device | str) -> Self:
        """The same statistics on a device."""
        return type(self)(mean=self.mean.to(device), std=self.std.to(device))


@dataclass(frozen=True, eq=False)
class Dataset:
    """A data set. `checksum` is the SHA-256 of all pixels and labels, before a subset was taken."""

    name: str
    train: Split
    test: Split
    classes: tuple[str, ...]
    statistics: Statistics
    checksum: str

    @property
    def shape(self) -> tuple[int, int, int]:
        """(C, H, W) of every image."""
        channels, height, width = self.train.x.shape[1:]
        return channels, height, width


def checksum(splits: Sequence[Split]) -> str:
    """SHA-256 over shapes, pixels and labels of the splits in turn, as 64 hexadecimal digits."""
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
