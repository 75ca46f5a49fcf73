"""The plans of many networks for one step, as one."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from mmix.mixing.blend import Blend
from mmix.mixing.plan import Criterion, Plan, one_hot


@dataclass(frozen=True, eq=False)
class Stacked:
    """What one plan a network says, for n networks at once; each keeps its own layers, lambdas and partners.

    layers: of each network. lam: (n, B) or (n, 1), in [0, 1]. partner: (n, B), int64, places in a network's own batch.
    times: how often labels are blended. With `stop_gradient` all networks have the same layers. A network that isn't
    mixed at a point where another is gets lambda 1 there, which changes no number: 1 x + 0 x' is x for finite states,
    and one that isn't finite has diverged anyhow.
    """

    layers: tuple[tuple[int, ...], ...]
    lam: Tensor | None
    partner: Tensor | None
    times: int
    smoothing: float
    stop_gradient: bool

    @property
    def last_point_used(self) -> int:
        """The deepest layer at which any network is mixed; 0 where none is."""
        return max((0, *(layer for layers in self.layers for layer in layers)))

    def at(self, point: int, x: Tensor) -> Tensor:
        """The states at a mix point. x: (n, B, D), or (n, 2B, D) where two batches are mixed into one.

        The second batch is carried along until the last network is mixed: the networks' states are one tensor.
        """
        mixed = [point in layers for layers in self.layers]
        if self.lam is None or self.partner is None or not any(mixed):
            return x
        lam = self.lam if all(mixed) else torch.where(torch.tensor(mixed, device=x.device)[:, None], self.lam, 1)
        new = _blend(x, lam=lam, partner=self.partner)
        if point == self.last_point_used:
            return new.detach() if self.stop_gradient else new
        rows = new.shape[1]
        return new if rows == x.shape[1] else torch.cat([new, x[:, rows:]], dim=1)

    def losses(self, criterion: Criterion, logits: Tensor, y: Tensor) -> Tensor:
        """The mean loss of each network at its mixed and smoothed labels, (n,).

        logits: (n, B, K). y: (n, B), int64, or (n, 2B) where two batches were mixed into one.
        """
        classes = logits.shape[2]
        target = self._labels(y, classes)
        if self.smoothing:
            target = (1 - self.smoothing) * target + self.smoothing / classes
        return criterion(logits.flatten(0, 1), target.flatten(0, 1)).view(logits.shape[:2]).mean(1)

    def accuracies(self, logits: Tensor, y: Tensor) -> Tensor:
        """The share of each network's label mass, before smoothing, that its predictions hit, (n,), in [0, 1]."""
        labels = self._labels(y, logits.shape[2])
        return labels.gather(2, logits.argmax(2, keepdim=True)).mean((1, 2))

    def _labels(self, y: Tensor, classes: int) -> Tensor:
        labels = one_hot(y.flatten(), classes).view(*y.shape, classes)
        if self.lam is not None and self.partner is not None:
            for _ in range(self.times):
                labels = _blend(labels, lam=self.lam, partner=self.partner)
        return labels


def stack(plans: Sequence[Plan]) -> Stacked:
    """One plan a network as one of all. All are of one method, so either all blend or none does."""
    blends = [plan.label for plan in plans if isinstance(plan.label, Blend)]
    assert len(blends) in (0, len(plans)), "some networks blend and others don't"
    return Stacked(
        layers=tuple(plan.layers for plan in plans),
        lam=torch.stack([blend.lam for blend in blends]).reshape(len(plans), -1) if blends else None,
        partner=torch.stack([blend.partner for blend in blends]) if blends else None,
        times=blends[0].times if blends else 0,
        smoothing=plans[0].smoothing,
        stop_gradient=plans[0].stop_gradient,
    )


def _blend(x: Tensor, *, lam: Tensor, partner: Tensor) -> Tensor:
    """`blend` for n networks. x: (n, B, D) or (n, 2B, D). lam: (n, B) or (n, 1). partner: (n, B). (n, B, D)."""
    networks, rows, _ = x.shape
    count = partner.shape[1]
    first = torch.arange(networks, device=x.device)[:, None] * rows
    # A quarter of the time of x.gather(1, ...), whose gradient is scattered number by number.
    others = x.flatten(0, 1).index_select(0, (partner + first).flatten()).view(networks, count, -1)
    weight = lam.to(x.dtype)[:, :, None]
    return torch.lerp(others, x if rows == count else x[:, :count], weight)
