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

        padded: (N, H + 2P, W + 2P, C), uint8; copied unless contiguous. chosen: (B,), int64.
        """
        _, tall, wide, _ = padded.shape
        row = torch.arange(height, device=padded.device)
        column = torch.arange(width, device=padded.device)
        columns = torch.where(self.flipped[chosen, None], column.flip(0), column)
        first = (chosen * tall + self.top[chosen]) * wide + self.left[chosen]
        places = first[:, None, None] + row[:, None] * wide + columns[:, None, :]
        # One gather of whole pixels crops and flips; indexing with rows and columns takes five times as long on a CPU.
        pixels = padded.flatten(0, 2).index_select(0, places.flatten())
        return pixels.view(len(chosen), height, width, -1)


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
