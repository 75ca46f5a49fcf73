"""Methods that blend whole states with one lambda a batch or a sample, and those that mix nothing."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import assert_never

import numpy as np
import torch
from torch import Tensor

from mmix.mixing.alpha import value
from mmix.mixing.plan import Plan, blending
from mmix.mixing.tables import Tables
from mmix.spec.mixing import Pairing, Sharing
from mmix.spec.part import Alpha


@dataclass(frozen=True)
class Plain:
    """No mixing, and labels smoothed where `smoothing` is above 0."""

    smoothing: float = 0.0

    def epoch(self, tables: Tables) -> tuple[Plan, ...]:
        """The plans of all batches of one epoch."""
        return (Plan(smoothing=self.smoothing),) * len(tables.sizes)


@dataclass(frozen=True)
class Mixup:
    """`layers_per_batch` layers of `layers` a batch; lambda ~ Beta(alpha, alpha) for each batch or each sample.

    Source: the authors' code, supervised/utils.py (lambda, permutation) and models/preresnet.py (layer).
    """

    layers: tuple[int, ...]
    alpha: Alpha
    epochs: int
    sharing: Sharing = "batch"
    pairing: Pairing = "shuffle"
    layers_per_batch: int = 1
    stop_gradient: bool = False

    def epoch(self, tables: Tables) -> tuple[Plan, ...]:
        """The plans of all batches of one epoch."""
        drawn = tables.layers(self.layers, each=self.layers_per_batch)
        return tuple(
            blending(*layers, lam=lam, partner=partner, stop_gradient=self.stop_gradient)
            for layers, lam, partner in zip(drawn, self._lams(tables), self._partners(tables), strict=True)
        )

    def _lams(self, tables: Tables) -> Sequence[Tensor]:
        alpha = value(self.alpha, epoch=tables.epoch, epochs=self.epochs)
        count = len(tables.sizes) if self.sharing == "batch" else sum(tables.sizes)
        lams = tables.lams(alpha, count=count).astype(np.float32)
        match self.sharing:
            case "batch":
                return torch.from_numpy(lams).to(tables.device).unbind()
            case "sample":
                return tables.by_batch(lams)
            case _:
                assert_never(self.sharing)

    def _partners(self, tables: Tables) -> Sequence[Tensor]:
        match self.pairing:
            case "shuffle":
                return tables.partners()
            case "two_batches":  # sample i of the second batch, which follows the first
                return [torch.arange(size, 2 * size, device=tables.device) for size in tables.own_sizes]
            case _:
                assert_never(self.pairing)
