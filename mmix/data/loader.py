"""Batches of a training split that lies on the device."""

from collections.abc import Iterator

import torch
from torch import Tensor

from mmix.data.augment import augmentation, pad
from mmix.data.dataset import Split, Statistics
from mmix.data.pixels import normalise, unit
from mmix.mixing.draw import generator


class Loader:
    """Shuffled, augmented, normalised batches; an epoch is a pure function of the seed and its number.

    The images stay on the device as bytes, padded once; a batch costs one gather.
    """

    def __init__(
        self,
        split: Split,
        statistics: Statistics,
        *,
        batch_size: int,
        crop_padding: int,
        flip: bool,
        seed: int,
        device: torch.device | str = "cpu",
    ) -> None:
        self._height, self._width = split.x.shape[2:]
        self._padding, self._flip, self._seed, self._device = crop_padding, flip, seed, device
        # Channels last in memory, so that a pixel is gathered in one piece and batches are channels_last.
        self._padded = pad(split.x.to(device).permute(0, 2, 3, 1).contiguous(), crop_padding)
        self._y = split.y.to(device)
        self._statistics = statistics.to(device)
        self.sizes = batch_sizes(len(split), batch_size)

    def epoch(self, epoch: int) -> Iterator[tuple[Tensor, Tensor]]:
        """The batches of an epoch. x: (B, C, H, W), normalised, channels_last. y: (B,), int64."""
        order = generator(seed=self._seed, purpose="order", epoch=epoch).permutation(len(self._y))
        chosen = torch.from_numpy(order[: sum(self.sizes)]).to(self._device)
        crop = augmentation(
            images=len(self._y),
            padding=self._padding,
            flip=self._flip,
            seed=self._seed,
            epoch=epoch,
            device=self._device,
        )
        for batch in torch.split(chosen, list(self.sizes)):
            pixels = crop(self._padded, batch, height=self._height, width=self._width)
            yield normalise(unit(pixels.permute(0, 3, 1, 2)), self._statistics), self._y[batch]


def batch_sizes(images: int, batch_size: int) -> tuple[int, ...]:
    """The sizes of an epoch's batches. A last smaller batch is kept unless it would be a single image.

    Batch normalisation and mixing need two; which image is left out changes with every epoch's order.
    """
    whole, rest = divmod(images, batch_size)
    return (batch_size,) * whole + ((rest,) if rest >= 2 else ())
