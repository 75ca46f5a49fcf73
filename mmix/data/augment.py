"""Random crops and flips of a whole batch at once."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from mmix.mixing.draw import generator


@dataclass(frozen=True, eq=False)
class Augmentation:
    """One epoch's crops and flips. top, left: (N,), int64. flipped: (N,), bool. N: the split's size."""

    top: Tensor
    left: Tensor
    flipped: Tensor

    def __call__(self, padded: Tensor, chosen: Tensor, *, height: int, width: int) -> Tensor:
        """The crops of the chosen images, (B, H, W, C), uint8.

        padded: (N, H + 2P, W + 2P, C), uint8. chosen: (B,), int64.
        """
        rows = self.top[chosen, None] + torch.arange(height, device=padded.device)
        columns = torch.arange(width, device=padded.device).expand(len(chosen), width)
        columns = torch.where(self.flipped[chosen, None], columns.flip(1), columns) + self.left[chosen, None]
        # One gather crops and flips.
        return padded[chosen[:, None, None], rows[:, :, None], columns[:, None, :]]


def augmentation(
    *, images: int, padding: int, flip: bool, seed: int, epoch: int, device: torch.device | str
) -> Augmentation:
    """The augmentation of one epoch. An image's crop depends on its place in the split, not on the order."""
    crop = generator(seed=seed, purpose="crop", epoch=epoch).integers(2 * padding + 1, size=(2, images))
    mirror = generator(seed=seed, purpose="flip", epoch=epoch).integers(2, size=images) == 1
    top, left = torch.from_numpy(crop).to(device)
    return Augmentation(top=top, left=left, flipped=torch.from_numpy(mirror & flip).to(device))


def pad(pixels: Tensor, padding: int) -> Tensor:
    """pixels: (N, H, W, C), uint8; with a black border of `padding` pixels."""
    return F.pad(pixels, (0, 0, padding, padding, padding, padding))
