"""The one formula of mixing: x <- w * x + (1 - w) * x[partner]."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor


def blend(x: Tensor, *, lam: Tensor, partner: Tensor) -> Tensor:
    """Each of the first B samples of x mixed with its partner, in x's own dtype and memory format.

    x: (B, ...) or, with partners from a second batch that follows the first, (2B, ...); any float dtype.
    lam: () or (B,) in [0, 1]. partner: (B,), int64, places in x; a permutation of them where x has B samples.
    Returns (B, ...).
    Source: Manifold Mixup (arXiv:1806.05236), section 2, the operator Mix.
    """
    # A float32 lam would silently turn bfloat16 activations into float32.
    weight = lam.to(x.dtype).reshape(lam.shape + (1,) * (x.dim() - 1 if lam.dim() else 0))
    if len(x) == len(partner):
        mixed: Tensor = _Permuted.apply(x, weight, partner)  # type: ignore[no-untyped-call]
        return mixed
    return torch.lerp(x[partner], x[: len(partner)], weight)  # x[partner] keeps channels_last


class _Permuted(torch.autograd.Function):
    """The formula where partners are a permutation: the gradient too is then a gather, of those whose partner one is.

    torch scatters it number by number, in one thread where it must be deterministic: four times as long (CPU).
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, partner: Tensor) -> Tensor:
        ctx.save_for_backward(weight, partner)
        return _sum(x, weight, partner)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        weight, partner = ctx.saved_tensors
        (gradient,) = gradients
        inverse = partner.argsort()
        if weight.dim() == 0:
            return _sum(gradient, weight, inverse), None, None
        return weight * gradient + _gathered((1 - weight) * gradient, inverse), None, None


def _sum(x: Tensor, weight: Tensor, places: Tensor) -> Tensor:
    """weight * x + (1 - weight) * x[places] in two passes, exactly x where weight is 1 or the partner is x itself."""
    return _gathered(x, places).lerp_(x, weight)


def _gathered(x: Tensor, places: Tensor) -> Tensor:
    """x[places] in a new tensor; row by row, with the channels of a pixel in one piece, a third of its time (CPU)."""
    if x.dim() == 4:
        return x.permute(0, 2, 3, 1).index_select(0, places).permute(0, 3, 1, 2)
    return x.index_select(0, places)


@dataclass(frozen=True, eq=False)
class Blend:
    """`blend` with a lambda and partners of its own, `times` times over."""

    lam: Tensor
    partner: Tensor
    times: int = 1

    def __call__(self, x: Tensor) -> Tensor:
        """x: (B, ...), or (2B, ...) as in `blend`; (B, ...)."""
        for _ in range(self.times):
            x = blend(x, lam=self.lam, partner=self.partner)
        return x
