"""Batches of a training split that lies on the device."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from mmix.data.augment import augmentation, pad
from mmix.data.dataset import Split, Statistics
from mmix.data.pixels import normalise, normalised
from mmix.mixing.draw import generator
from mmix.mixing.shares import WHOLE, Shares

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

    The samples stay on the device, images as bytes and padded once; a batch costs one gather. `sizes` are those of
    whole batches; of each come the `shares` that this process has.
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
        shares: Shares = WHOLE,
    ) -> None:
        self._padding, self._flip, self._seed, self._device = crop_padding, flip, seed, device
        self._shape = split.shape
        # Channels last in memory, so that a pixel is gathered in one piece and batches are channels_last.
        self._stored = _stored(split.x.to(device), crop_padding)
        self._y = split.y.to(device)
        self._statistics = statistics.to(device)
        self.images = len(split)
        self.shares = shares
        self.sizes = batch_sizes(len(split), batch_size, shares)

    @property
    def split(self) -> Split:
        """The training split as it was given; images are a view of what lies on the device."""
        if self._stored.dim() == 2:
            return Split(self._stored, self._y)
        return Split(self._inside().permute(0, 3, 1, 2), self._y)

    def epoch(self, epoch: int, *, purpose: Order = "order") -> Iterator[Batch]:
        """The batches of an epoch; a sample's augmentation is the same in both orders."""
        order = generator(seed=self._seed, purpose=purpose, epoch=epoch).permutation(self.images)
        chosen = torch.from_numpy(order[: sum(self.sizes)]).to(self._device)
        look = self._augmented(epoch)
        for batch in torch.split(chosen, list(self.sizes)):
            index = batch[self.shares.place(len(batch))]
            yield self._batch(look(index), index)

    def clean(self, size: int) -> Iterator[Batch]:
        """The training split in its own order, normalised but not augmented."""
        for index in torch.arange(self.images, device=self._device).split(size):  # type: ignore[no-untyped-call]
            yield self._batch(self._centre(index), index)

    def _batch(self, stored: Tensor, index: Tensor) -> Batch:
        seen = normalised if stored.dim() == 4 else normalise
        return Batch(seen(stored, self._statistics), self._y[index], index)

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
        return self._stored[index] if self._stored.dim() == 2 else self._inside()[index]

    def _inside(self) -> Tensor:
        """The images without their border, (N, H, W, C), as a view."""
        _, height, width = self._shape
        return self._stored[:, self._padding : self._padding + height, self._padding : self._padding + width]


def batch_sizes(images: int, batch_size: int, shares: Shares = WHOLE) -> tuple[int, ...]:
    """The sizes of an epoch's batches. A last smaller batch is kept unless a share of it would be a single image.

    Batch normalisation and mixing need two; which images are left out changes with every epoch's order.
    """
    whole, rest = divmod(images, batch_size)
    return (batch_size,) * whole + ((rest,) if shares.kept(rest) else ())


def _stored(x: Tensor, padding: int) -> Tensor:
    """Images as (N, H + 2P, W + 2P, C), uint8; points as they are."""
    return pad(x.permute(0, 2, 3, 1).contiguous(), padding) if x.dim() == 4 else x
