"""Images that are too many to lie on a device: decoded by worker processes as they are needed."""

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Self

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader

from mmix.data import images
from mmix.data.dataset import Split, Statistics
from mmix.data.loader import Batch, Order, batch_sizes
from mmix.data.pixels import normalise, unit
from mmix.errors import DataBroken
from mmix.mixing.draw import generator
from mmix.mixing.shares import WHOLE, Shares
from mmix.torchvision_import import torchvision

MOST_WORKERS = 8
RESIZED = 256 / 224  # Source: torchvision's references/classification: the shorter side to 256, then the central 224

View = Callable[[Image.Image, int], Tensor]
"""(image, its position in the split) -> (3, side, side), uint8."""


@dataclass(frozen=True, eq=False)
class Files:
    """Image files under one folder. names: (M,), bytes: a million Python strings would be copied by every worker."""

    folder: Path
    names: np.ndarray

    def __getitem__(self, place: int) -> Path:
        return self.folder / os.fsdecode(self.names[place])


@dataclass(frozen=True, eq=False)
class Streamed(Split):
    """A split whose images are files. x: (N,), int64, places in `files`. Batches hold their central crops."""

    files: Files = field(kw_only=True)
    side: int = field(kw_only=True)
    workers: int = field(kw_only=True)

    @property
    def shape(self) -> tuple[int, ...]:
        """(C, H, W) of every crop."""
        return 3, self.side, self.side

    def to(self, device: torch.device | str) -> Self:
        """The same split, whose batches come on a device."""
        return replace(self, y=self.y.to(device))

    def batches(self, size: int) -> Iterator[tuple[Tensor, Tensor]]:
        """The split in order, central crops. x: (B, 3, side, side), float32 in [0, 1], channels_last. y: (B,), int64.

        Raises: DataBroken where a file can't be read.
        """
        chunks = torch.arange(len(self)).split(size)  # type: ignore[no-untyped-call]
        for index, x in zip(chunks, decoded(self, chunks, partial(_central, side=self.side)), strict=True):
            yield _channels_last(unit(x.to(self.y.device))), self.y[index.to(self.y.device)]


class Stream:
    """Shuffled batches of random crops; order, crops and flips are pure functions of seed, epoch and position.

    `sizes` are those of whole batches; of each, only the `shares` that this process has are decoded.
    """

    def __init__(
        self,
        split: Streamed,
        statistics: Statistics,
        *,
        batch_size: int,
        seed: int,
        flip: bool,
        device: torch.device | str = "cpu",
        shares: Shares = WHOLE,
    ) -> None:
        self.split, self._seed, self._flip = split.to(device), seed, flip
        self._device, self._statistics = device, statistics.to(device)
        self.images = len(split)
        self.shares = shares
        self.sizes = batch_sizes(len(split), batch_size, shares)

    def epoch(self, epoch: int, *, purpose: Order = "order") -> Iterator[Batch]:
        """The batches of an epoch; an image's crop is the same in both orders.

        Raises: DataBroken where a file can't be read.
        """
        order = generator(seed=self._seed, purpose=purpose, epoch=epoch).permutation(self.images)
        batches = torch.from_numpy(order[: sum(self.sizes)]).split(list(self.sizes))  # type: ignore[no-untyped-call]
        chunks = [batch[self.shares.place(len(batch))] for batch in batches]
        view = partial(_random, side=self.split.side, flip=self._flip, seed=self._seed, epoch=epoch)
        for index, x in zip(chunks, decoded(self.split, chunks, view), strict=True):
            yield self._batch(_channels_last(unit(x.to(self._device))), self.split.y[index.to(self._device)])

    def clean(self, size: int) -> Iterator[Batch]:
        """The training split in its own order, central crops, normalised."""
        for x, y in self.split.batches(size):
            yield self._batch(x, y)

    def _batch(self, x: Tensor, y: Tensor) -> Batch:
        return Batch(normalise(x, self._statistics), y, None)


def workers() -> int:
    """How many processes decode: one for each processor, within reason."""
    return min(MOST_WORKERS, os.cpu_count() or 1)


def decoded(split: Streamed, chunks: Sequence[Tensor], view: View) -> Iterator[Tensor]:
    """The views of the images at each chunk's positions in the split, (B, 3, side, side), uint8, in turn.

    Raises: DataBroken where a file can't be read.
    """
    torchvision("transforms.v2")  # a second here, or a second in each worker
    batches: DataLoader[Tensor] = DataLoader(
        _Views(split, view),  # type: ignore[arg-type]
        batch_sampler=[chunk.tolist() for chunk in chunks],
        num_workers=split.workers,
        collate_fn=_collate,
        generator=torch.Generator(),  # torch's own would leave another state behind in this process
    )
    for batch in batches:
        if isinstance(batch, DataBroken):
            raise batch
        yield batch


@dataclass(frozen=True)
class _Views:
    """What the workers carry: a view of the image at each position, or why there is none."""

    split: Streamed
    view: View

    def __len__(self) -> int:
        return len(self.split)

    def __getitem__(self, position: int) -> Tensor | DataBroken:
        try:
            return self.view(images.picture(self.split.files[int(self.split.x[position])]), position)
        except DataBroken as error:
            return error  # raised here, it would reach the reader with a traceback as its text


def _collate(views: Sequence[Tensor | DataBroken]) -> Tensor | DataBroken:
    broken = [view for view in views if isinstance(view, DataBroken)]
    return broken[0] if broken else torch.stack([view for view in views if isinstance(view, Tensor)])


def _central(image: Image.Image, position: int, *, side: int) -> Tensor:
    v2 = torchvision("transforms.v2")
    view: Tensor = v2.Compose([v2.Resize(round(side * RESIZED)), v2.CenterCrop(side), v2.PILToTensor()])(image)
    return view


def _random(image: Image.Image, position: int, *, side: int, flip: bool, seed: int, epoch: int) -> Tensor:
    v2 = torchvision("transforms.v2")
    mirror = [v2.RandomHorizontalFlip()] if flip else []
    draw = generator(seed=seed, purpose="crop", epoch=epoch, group=position)
    # torchvision draws from torch's global generator: it is set for this image alone, and then put back.
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(int(draw.integers(2**63)))
        view: Tensor = v2.Compose([v2.RandomResizedCrop(side), *mirror, v2.PILToTensor()])(image)
    return view


def _channels_last(x: Tensor) -> Tensor:
    return x.contiguous(memory_format=torch.channels_last)
