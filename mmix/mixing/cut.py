"""Methods that act on a rectangle of the input image: CutMix and Cutout."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from mmix.mixing.alpha import value
from mmix.mixing.blend import Blend
from mmix.mixing.patch import Erase, Paste
from mmix.mixing.plan import Plan
from mmix.mixing.tables import Floats, Tables
from mmix.spec.mixing import Sharing
from mmix.spec.part import Alpha

Boxes = npt.NDArray[np.int64]


@dataclass(frozen=True)
class CutMixing:
    """Pastes a box of the partner's image and weighs labels by its exact area; one box a batch or a sample.

    With `probability` below 1 some batches (or samples) keep their image. sides: height and width of the images.
    Source: CutMix (arXiv:1905.04899), section 3.1: the box has sqrt(1 - lambda) of each side, its centre is uniform.
    Differs: edges are rounded to whole pixels, then clipped; lambda becomes the share that is really kept.
    """

    sides: tuple[int, int]
    alpha: Alpha
    probability: float
    sharing: Sharing
    epochs: int

    def epoch(self, tables: Tables) -> tuple[Plan, ...]:
        """The plans of all batches of one epoch."""
        boxes = self._boxes(tables)
        kept = (1 - _area(boxes) / (self.sides[0] * self.sides[1])).astype(np.float32)
        rows = zip(self._by_batch(tables, boxes), self._by_batch(tables, kept), tables.partners(), strict=True)
        return tuple(
            Plan(layers=(0,), state=Paste(box, partner), label=Blend(lam, partner)) for box, lam, partner in rows
        )

    def _boxes(self, tables: Tables) -> Boxes:
        count = len(tables.sizes) if self.sharing == "batch" else sum(tables.sizes)
        alpha = value(self.alpha, epoch=tables.epoch, epochs=self.epochs)
        patches = tables.patches(count=count)
        lams = np.where(patches[:, 2] < self.probability, tables.lams(alpha, count=count), 1)
        half = np.sqrt(1 - lams)[:, None] * self.sides / 2
        centre = patches[:, :2] * self.sides
        return _clipped(np.rint(centre - half), np.rint(centre + half), self.sides)

    def _by_batch(self, tables: Tables, table: npt.NDArray[np.generic]) -> Sequence[Tensor]:
        """The rows of each batch's samples, or its only row, (1, ...)."""
        if self.sharing == "sample":
            return tables.by_batch(table)
        return torch.split(torch.from_numpy(table).to(tables.device), 1)


@dataclass(frozen=True)
class Cutting:
    """Puts the mean colour on a square of `size` pixels a side, clipped at the border, in each image.

    sides: height and width of the images.
    Source: Cutout (arXiv:1708.04552), section 3: the centre is any pixel, so a square may stick out of the image.
    """

    sides: tuple[int, int]
    size: int

    def epoch(self, tables: Tables) -> tuple[Plan, ...]:
        """The plans of all batches of one epoch."""
        centre = np.floor(tables.patches(count=sum(tables.sizes))[:, :2] * self.sides)
        start = centre - self.size // 2
        boxes = tables.by_batch(_clipped(start, start + self.size, self.sides))
        return tuple(Plan(layers=(0,), state=Erase(box)) for box in boxes)


def _clipped(start: Floats, end: Floats, sides: tuple[int, int]) -> Boxes:
    """start, end: (N, 2), row and column. The boxes inside the image, (N, 4): top, bottom, left, right."""
    edges = np.stack([start, end], axis=2)
    return np.clip(edges, 0, np.array(sides)[:, None]).reshape(-1, 4).astype(np.int64)


def _area(boxes: Boxes) -> Boxes:
    top, bottom, left, right = boxes.T
    return np.asarray((bottom - top) * (right - left))
