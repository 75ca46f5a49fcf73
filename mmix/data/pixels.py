"""From what is stored to what a network sees; training, evaluation and attacks share these two steps."""

from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Statistics:
    """By what samples are normalised. mean, std: (C,), on the 0..1 scale of pixels; (D,) for points."""

    mean: Tensor
    std: Tensor

    def to(self, device: torch.device | str) -> Self:
        """The same statistics on a device."""
        return type(self)(mean=self.mean.to(device), std=self.std.to(device))


def unit(pixels: Tensor) -> Tensor:
    """pixels: (..., C, H, W), uint8; float32 in [0, 1]."""
    return pixels.to(torch.float32) / 255


def normalised(pixels: Tensor, statistics: Statistics) -> Tensor:
    """pixels: (B, H, W, C), uint8, contiguous. (B, C, H, W), channels_last: the bits of `normalise(unit(...))`.

    In a quarter of its time on a CPU: in place, and row by row, as loops over three channels can't be vectorised.
    """
    count, height, width, _ = pixels.shape
    rows = pixels.to(torch.float32).view(count, -1).div_(255)
    mean, std = (each.repeat(height * width) for each in (statistics.mean, statistics.std))
    return rows.sub_(mean).div_(std).view(pixels.shape).permute(0, 3, 1, 2)


def normalise(x: Tensor, statistics: Statistics) -> Tensor:
    """x: (B, C, H, W) in [0, 1], or points (B, D); with the mean taken off and divided by the deviation.

    All on one device.
    """
    shape = (-1,) + (1,) * (x.dim() - 2)
    return (x - statistics.mean.view(shape)) / statistics.std.view(shape)
