"""Rectangles of an image, replaced by those of a partner or by the mean colour."""

from dataclasses import dataclass

import torch
from torch import Tensor


def inside(box: Tensor, *, height: int, width: int) -> Tensor:
    """Which pixels lie in which box. box: (B, 4) or (1, 4), int64: top, bottom, left, right. (B, 1, H, W), bool.

    An empty box (top = bottom) holds no pixel.
    """
    top, bottom, left, right = box[:, :, None].unbind(1)
    row, column = torch.arange(height, device=box.device), torch.arange(width, device=box.device)
    rows, columns = (row >= top) & (row < bottom), (column >= left) & (column < right)
    return (rows[:, :, None] & columns[:, None, :])[:, None]


@dataclass(frozen=True, eq=False)
class Paste:
    """Puts the partner's pixels inside the box. box: (B, 4) or (1, 4). partner: (B,), int64 in 0..B-1."""

    box: Tensor
    partner: Tensor

    def __call__(self, x: Tensor) -> Tensor:
        """x: (B, C, H, W), any float dtype."""
        height, width = x.shape[2:]
        return torch.where(inside(self.box, height=height, width=width), x[self.partner], x)


@dataclass(frozen=True, eq=False)
class Erase:
    """Puts 0, which is the mean colour of normalised images, inside the box. box: (B, 4)."""

    box: Tensor

    def __call__(self, x: Tensor) -> Tensor:
        """x: (B, C, H, W), normalised, any float dtype."""
        height, width = x.shape[2:]
        # masked_fill would not keep channels_last
        return torch.where(inside(self.box, height=height, width=width), 0, x)
