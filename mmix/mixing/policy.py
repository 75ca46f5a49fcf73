"""How a method draws its plans: which layer, how much, with whom, for every batch of an epoch."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import assert_never

import numpy as np
import torch
from torch import Tensor

from mmix.mixing.draw import generator
from mmix.mixing.plan import Plan
from mmix.spec.mixing import Erm, InputMixup, ManifoldMixup, Mixing, Sharing, layers_of


@dataclass(frozen=True)
class Policy:
    """One layer of `layers` a batch, uniformly; lambda ~ Beta(alpha, alpha) for each batch or each sample.

    Source: the authors' code, supervised/utils.py (lambda, permutation) and models/preresnet.py (layer).
    """

    layers: tuple[int, ...]
    alpha: float
    sharing: Sharing

    def epoch(
        self, *, seed: int, epoch: int, sizes: Sequence[int], device: torch.device | str = "cpu"
    ) -> tuple[Plan, ...]:
        """The plans of all batches of one epoch, whose sizes are `sizes`; a pure function of its arguments.

        Layer, lambda and partner come from tables of their own: a change to one leaves the others alone.
        """
        layers = self._layers(seed, epoch, len(sizes))
        lams = self._lams(seed, epoch, sizes, device)
        partners = _partners(seed, epoch, sizes, device)
        return tuple(map(Plan, layers, lams, partners))

    def _layers(self, seed: int, epoch: int, batches: int) -> list[int]:
        places = generator(seed=seed, purpose="layer", epoch=epoch).integers(len(self.layers), size=batches)
        return [self.layers[place] for place in places]

    def _lams(self, seed: int, epoch: int, sizes: Sequence[int], device: torch.device | str) -> Sequence[Tensor]:
        match self.sharing:
            case "batch":
                return self._beta(seed, epoch, len(sizes)).to(device).unbind()
            case "sample":
                return torch.split(self._beta(seed, epoch, sum(sizes)).to(device), list(sizes))
            case _:
                assert_never(self.sharing)

    def _beta(self, seed: int, epoch: int, count: int) -> Tensor:
        draw = generator(seed=seed, purpose="lam", epoch=epoch)
        return torch.from_numpy(draw.beta(self.alpha, self.alpha, size=count).astype(np.float32))


def policy(mixing: Mixing) -> Policy | None:
    """The policy of a mixing method; None where nothing is mixed."""
    match mixing:
        case Erm():
            return None
        case InputMixup() | ManifoldMixup():
            return Policy(layers=layers_of(mixing), alpha=mixing.alpha, sharing=mixing.sharing)
        case _:
            assert_never(mixing)


def _partners(seed: int, epoch: int, sizes: Sequence[int], device: torch.device | str) -> Sequence[Tensor]:
    draw = generator(seed=seed, purpose="partner", epoch=epoch)
    table = np.concatenate([draw.permutation(size) for size in sizes]) if sizes else np.empty(0, np.int64)
    return torch.split(torch.from_numpy(table).to(device), list(sizes))
