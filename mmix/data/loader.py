"""Batches of a training split that lies on the device."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from mmix.data.augment import augmentation, pad
from mmix.data.dataset import Split, Statistics
from mmix.data.pixels import normalise, unit
from mmix.mixing.draw import generator

Order = Literal["order", "second_order"]
"""The second order gives the partners of pairing `two_batches`: batches of the same sizes, another order."""


@dataclass(frozen=True, eq=False)
class Batch:
    """Samples as a network sees them. x: (B, C, H, W) or (B, D), normalised, images channels_last. y: (B,), int64.

    index: (B,), int64, the samples' positions in the training split; None where they are streamed.
    """

    x: Tensor
    y: Tensor
    index: Tensor | None


class Loader:
    """Shuffled, augmented, normalised batches; an epoch is a pure function of the seed and its number.

    The samples stay on the device, images as bytes and padded once; a batch costs one gather.
    """

    def __init__(
        self,
        split: Split,
        statistics: Statistics,
        *,
        batch_size: int,
        seed: int,
        crop_padding: int = 0,
        flip: bool = False,
        device: torch.device | str = "cpu",
    ) -> None:
        self._padding, self._flip, self._seed, self._device = crop_padding, flip, seed, device
        self._shape = split.shape
        # Channels last in memory, so that a pixel is gathered in one piece and batches are channels_last.
        self._stored = _stored(split.x.to(device), crop_padding)
        self._y = split.y.to(device)
        self._statistics = statistics.to(device)
        self.images = len(split)
        self.sizes = batch_sizes(len(split), batch_size)

    def epoch(self, epoch: int, *, purpose: Order = "order") -> Iterator[Batch]:
        """The batches of an epoch; a sample's augmentation is the same in both orders."""
        order = generator(seed=self._seed, purpose=purpose, epoch=epoch).permutation(self.images)
        chosen = torch.from_numpy(order[: sum(self.sizes)]).to(self._device)
        look = self._augmented(epoch)
        for index in torch.split(chosen, list(self.sizes)):
            yield self._batch(look(index), index)

    def clean(self, size: int) -> Iterator[Batch]:
        """The training split in its own order, normalised but not augmented."""
        for index in torch.arange(self.images, device=self._device).split(size):  # type: ignore[no-untyped-call]
            yield self._batch(self._centre(index), index)

    def _batch(self, stored: Tensor, index: Tensor) -> Batch:
        x = unit(stored.permute(0, 3, 1, 2)) if stored.dim() == 4 else stored
        return Batch(normalise(x, self._statistics), self._y[index], index)

    def _augmented(self, epoch: int) -> Callable[[Tensor], Tensor]:
        """From positions to stored samples with this epoch's crops and flips."""
        if not (self._padding or self._flip):
            return self._centre
        _, height, width = self._shape
        crop = augmentation(
            images=self.images,
            padding=self._padding,
            flip=self._flip,
            seed=self._seed,
            epoch=epoch,
            device=self._device,
        )
        return lambda index: crop(self._stored, index, height=height, width=width)

    def _centre(self, index: Tensor) -> Tensor:
        if self._stored.dim() == 2:
            return self._stored[index]
        _, height, width = self._shape
        inside = self._stored[:, self._padding : self._padding + height, self._padding : self._padding + width]
        return inside[index]


def batch_sizes(images: int, batch_size: int) -> tuple[int, ...]:
    """The sizes of an epoch's batches. A last smaller batch is kept unless it would be a single image.

    Batch normalisation and mixing need two; which image is left out changes with every epoch's order.
    """
    whole, rest = divmod(images, batch_size)
    return (batch_size,) * whole + ((rest,) if rest >= 2 else ())


def _stored(x: Tensor, padding: int) -> Tensor:
    """Images as (N, H + 2P, W + 2P, C), uint8; points as they are."""
    return pad(x.permute(0, 2, 3, 1).contiguous(), padding) if x.dim() == 4 else x
