"""What methods draw for an epoch: a row a batch, or a number a sample, each from a table of its own."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from mmix.mixing.alpha import SMALLEST
from mmix.mixing.draw import generator
from mmix.mixing.shares import WHOLE, Shares

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Tables:
    """All draws of one epoch, whose batches have `sizes` samples; pure functions of the seed, the epoch and the sizes.

    Layer, lambda, partner and patch do not disturb each other: a change to one leaves the others alone. What is drawn
    for a batch is the same whatever part of it this process has; of what is drawn for samples it takes its `shares`.
    """

    seed: int
    epoch: int
    sizes: tuple[int, ...]
    device: torch.device | str = "cpu"
    shares: Shares = WHOLE

    @property
    def own_sizes(self) -> tuple[int, ...]:
        """How many samples of each batch this process has."""
        return tuple(map(self.shares.size, self.sizes))

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

    def uniforms(self) -> Sequence[Tensor]:
        """Numbers, (B,), float64, uniform in [0, 1), of which lambdas are made once more is known."""
        return self.by_batch(generator(seed=self.seed, purpose="lam", epoch=self.epoch).random(sum(self.sizes)))

    def partners(self) -> Sequence[Tensor]:
        """A permutation of each batch, (B,), int64, within each of its shares; places in what this process has."""
        groups = [self.shares.groups(size) for size in self.sizes]
        draws = {
            group: generator(seed=self.seed, purpose="partner", epoch=self.epoch, group=group)
            for group in {group for batch in groups for group, _, _ in batch}
        }
        found = [start + draws[group].permutation(size) for batch in groups for group, start, size in batch]
        joined = torch.from_numpy(np.concatenate(found or [np.empty(0, np.int64)])).to(self.device)
        return torch.split(joined, list(self.own_sizes))

    def patches(self, *, count: int) -> Floats:
        """(count, 3), uniform in [0, 1): a patch's row, its column, and whether there is one."""
        return generator(seed=self.seed, purpose="patch", epoch=self.epoch).random((count, 3))

    def by_batch(self, values: npt.NDArray[np.generic]) -> Sequence[Tensor]:
        """One value a sample, (all samples, ...), on the device and cut into what this process has of each batch."""
        batches = torch.split(torch.from_numpy(values).to(self.device), list(self.sizes))
        return [batch[self.shares.place(size)] for batch, size in zip(batches, self.sizes, strict=True)]
