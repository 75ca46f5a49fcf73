"""What methods draw for an epoch: a row a batch, or a number a sample, each from a table of its own."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from mmix.mixing.alpha import SMALLEST
from mmix.mixing.draw import generator

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Tables:
    """All draws of one epoch, whose batches have `sizes` samples; pure functions of the seed, the epoch and the sizes.

    Layer, lambda, partner and patch do not disturb each other: a change to one leaves the others alone.
    """

    seed: int
    epoch: int
    sizes: tuple[int, ...]
    device: torch.device | str = "cpu"

    def layers(self, among: Sequence[int], *, each: int = 1) -> list[tuple[int, ...]]:
        """For each batch `each` distinct layers of the set `among`, rising, every subset equally likely."""
        draw = generator(seed=self.seed, purpose="layer", epoch=self.epoch)
        first = draw.integers(len(among), size=len(self.sizes))
        # The first layer is drawn alike whatever `each` is; the others are those with the smallest keys.
        keys = draw.random((len(self.sizes), len(among)))
        keys[np.arange(len(self.sizes)), first] = -1
        places = np.sort(np.argsort(keys, axis=1)[:, :each], axis=1)
        return [tuple(among[place] for place in row) for row in places]

    def lams(self, alpha: float, *, count: int) -> Floats:
        """`count` draws of Beta(alpha, alpha); 1 where alpha is so small that it means no mixing."""
        if alpha < SMALLEST:
            return np.ones(count)
        return generator(seed=self.seed, purpose="lam", epoch=self.epoch).beta(alpha, alpha, size=count)

    def uniforms(self) -> list[Floats]:
        """For each batch as many numbers, uniform in [0, 1), as it has samples: what lambdas are made of later."""
        numbers = generator(seed=self.seed, purpose="lam", epoch=self.epoch).random(sum(self.sizes))
        return np.split(numbers, np.cumsum(self.sizes)[:-1])

    def partners(self) -> Sequence[Tensor]:
        """A permutation of each batch, (B,), int64."""
        draw = generator(seed=self.seed, purpose="partner", epoch=self.epoch)
        return self.by_batch(np.concatenate([draw.permutation(size) for size in self.sizes] or [np.empty(0, np.int64)]))

    def patches(self, *, count: int) -> Floats:
        """(count, 3), uniform in [0, 1): a patch's row, its column, and whether there is one."""
        return generator(seed=self.seed, purpose="patch", epoch=self.epoch).random((count, 3))

    def by_batch(self, values: npt.NDArray[np.generic]) -> Sequence[Tensor]:
        """One value a sample, (all samples, ...), on the device and cut into batches."""
        return torch.split(torch.from_numpy(values).to(self.device), list(self.sizes))
