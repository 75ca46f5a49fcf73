"""What is decided about the mixing of one batch: where, how much, and with whom."""

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from mmix.mixing.blend import blend

Criterion = Callable[[Tensor, Tensor], Tensor]
"""(logits (B, K), labels (B,)) -> the loss of each sample (B,)."""


@dataclass(frozen=True, eq=False)
class Plan:
    """The mixing of one batch. lam: () or (B,) in [0, 1]. partner: (B,), int64, a permutation of 0..B-1."""

    layer: int
    lam: Tensor
    partner: Tensor

    def __call__(self, x: Tensor) -> Tensor:
        """x: (B, ...), any float dtype; mixed, in the same dtype."""
        return blend(x, lam=self.lam, partner=self.partner)

    def loss(self, criterion: Criterion, logits: Tensor, y: Tensor) -> Tensor:
        """The batch's mean loss against both labels of each mixture, weighted by lam.

        For a criterion that is linear in its target (`ce` and `bce` are) this is the loss at the mixed label.
        logits: (B, K). y: (B,), int64.
        """
        return self._weighted(criterion(logits, y), criterion(logits, y[self.partner])).mean()

    def accuracy(self, logits: Tensor, y: Tensor) -> Tensor:
        """The share of the label mass that the predictions hit, in [0, 1].

        logits: (B, K). y: (B,), int64.
        Differs: the authors' code compares with the labels of the unmixed images, which says nothing.
        """
        predicted = logits.argmax(1)
        hits, partner_hits = predicted == y, predicted == y[self.partner]
        return self._weighted(hits.to(self.lam.dtype), partner_hits.to(self.lam.dtype)).mean()

    def _weighted(self, own: Tensor, partners: Tensor) -> Tensor:
        return self.lam * own + (1 - self.lam) * partners
