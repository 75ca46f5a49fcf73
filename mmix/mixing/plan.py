"""What is decided about the mixing of one batch: where, how, and whose labels."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from mmix.mixing.blend import Blend

Operator = Callable[[Tensor], Tensor]
"""(B, ...) -> (B, ...), or from two batches of B to one: (2B, ...) -> (B, ...)."""

Criterion = Callable[[Tensor, Tensor], Tensor]
"""(logits (B, K), label distributions (B, K)) -> the loss of each sample (B,)."""


def one_hot(y: Tensor, classes: int) -> Tensor:
    """y: (B,), int64 in 0..K-1; (B, K), float32."""
    # torch's own looks for the smallest label first, and the host waits for the answer.
    return (y[:, None] == torch.arange(classes, device=y.device)).float()


def unchanged(x: Tensor) -> Tensor:
    """The operator that does nothing."""
    return x


@dataclass(frozen=True, eq=False)
class Plan:
    """The mixing of one batch; as it stands, `Plan()`, it mixes nothing.

    `state` acts on the state at each of `layers`, `label` on the one-hot labels. With `stop_gradient` no gradient
    passes below the deepest of the layers; at layer 0 nothing that learns lies below, so nothing changes there.
    """

    layers: tuple[int, ...] = ()
    state: Operator = unchanged
    label: Operator = unchanged
    smoothing: float = 0.0
    stop_gradient: bool = False

    @property
    def last_point_used(self) -> int:
        """The deepest layer that is mixed; 0 where none is."""
        return max((0, *self.layers))  # `default=0` would break a compiled graph

    def at(self, point: int, x: Tensor) -> Tensor:
        """The state at a mix point, mixed there if the plan says so. x: (B, ...), any float dtype, kept."""
        # Not `point in self.layers`: compiled, that is False for a layer that became symbolic, and nothing is mixed.
        if not any(point == layer for layer in self.layers):
            return x
        mixed = self.state(x)
        return mixed.detach() if self.stop_gradient and point == self.last_point_used else mixed

    def loss(self, criterion: Criterion, logits: Tensor, y: Tensor) -> Tensor:
        """The batch's mean loss at the mixed and smoothed labels.

        logits: (B, K). y: (B,), int64, or (2B,) where two batches were mixed into one.
        """
        classes = logits.shape[1]
        target = self._labels(y, classes)
        if self.smoothing:
            target = (1 - self.smoothing) * target + self.smoothing / classes
        return criterion(logits, target).mean()

    def accuracy(self, logits: Tensor, y: Tensor) -> Tensor:
        """The share of the label mass, before smoothing, that the predictions hit, in [0, 1].

        logits: (B, K). y: (B,), int64, or (2B,) where two batches were mixed into one.
        Differs: the authors' code compares with the labels of the unmixed images, which says nothing.
        """
        return self._labels(y, logits.shape[1]).gather(1, logits.argmax(1, keepdim=True)).mean()

    def _labels(self, y: Tensor, classes: int) -> Tensor:
        return self.label(one_hot(y, classes))


def blending(*layers: int, lam: Tensor, partner: Tensor, stop_gradient: bool = False) -> Plan:
    """The plan that blends states at each of the layers with the same lambda and partners.

    Labels are blended as often as states, so that a label stays the share of each source in the state: with more
    than one layer, the partner's partner has a share too. For a linear network this is exact.
    lam: () or (B,) in [0, 1]. partner: (B,), int64; in 0..B-1 for a batch mixed with itself, in B..2B-1 for two.
    """
    return Plan(
        layers=layers,
        state=Blend(lam, partner),
        label=Blend(lam, partner, times=len(layers)),
        stop_gradient=stop_gradient,
    )
