"""From stored pixels to what a network sees; training, evaluation and attacks share these two steps."""

import torch
from torch import Tensor

from mmix.data.dataset import Statistics


def unit(pixels: Tensor) -> Tensor:
    """pixels: (..., C, H, W), uint8; float32 in [0, 1]."""
    return pixels.to(torch.float32) / 255


def normalise(x: Tensor, statistics: Statistics) -> Tensor:
    """x: (B, C, H, W) in [0, 1]; with the mean taken off and divided by the deviation. All on one device."""
    return (x - statistics.mean[:, None, None]) / statistics.std[:, None, None]
