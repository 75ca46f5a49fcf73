"""ConfMix: the more confident the network is in a sample, the more the sample is mixed."""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from mmix.mixing.alpha import SMALLEST
from mmix.mixing.plan import Plan, blending
from mmix.mixing.quantile import beta_quantile
from mmix.mixing.tables import Tables

Confidence = Literal["step", "epoch"]


@dataclass(frozen=True, eq=False)
class Pending:
    """A plan that waits for the network's confidence in the samples of its batch.

    uniform: (B,), float64 in [0, 1). partner: (B,), int64.
    """

    layer: int
    uniform: Tensor
    partner: Tensor
    scale: float
    classes: int
    confidence: Confidence

    def alpha(self, confidence: Tensor) -> Tensor:
        """The alpha of each sample, (B,) in [0, 1]. confidence: (B,), the largest probability, in [1/K, 1].

        Source: ConfMix manuscript, Algorithm 1, line 1. Only the first of the pair is asked.
        """
        return ((self.classes * confidence - 1) / (self.classes - 1)).clamp(0, 1)

    def plan(self, alpha: Tensor) -> Plan:
        """The plan with lambda_i ~ Beta(scale * alpha_i, scale * alpha_i); lambda_i = 1 where that is below 1e-4.

        Each lambda is the quantile of its distribution at the sample's own uniform number, so it depends on no other
        sample's confidence. alpha: (B,) in [0, 1]. Everything stays on the device.
        """
        spread = self.scale * alpha.double()
        quantile = beta_quantile(spread.clamp(min=SMALLEST), self.uniform)
        lam = torch.where(spread < SMALLEST, 1, quantile).float()
        return blending(self.layer, lam=lam, partner=self.partner)


@dataclass(frozen=True)
class ConfMixing:
    """One layer of `layers` a batch, lambda by the sample's confidence; no mixing in the first `warmup_epochs`.

    Source: ConfMix manuscript, Algorithm 1 and section 4.2.
    """

    layers: tuple[int, ...]
    warmup_epochs: int
    scale: float
    classes: int
    confidence: Confidence

    def epoch(self, tables: Tables) -> tuple[Plan | Pending, ...]:
        """The plans of all batches of one epoch, as far as they are known before it."""
        if tables.epoch < self.warmup_epochs:
            return (Plan(),) * len(tables.sizes)
        rows = zip(tables.layers(self.layers), tables.uniforms(), tables.partners(), strict=True)
        return tuple(
            Pending(layer, uniform, partner, self.scale, self.classes, self.confidence)
            for (layer,), uniform, partner in rows
        )
