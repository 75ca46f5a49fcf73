"""The one formula of mixing: x <- w * x + (1 - w) * x[partner]."""

from dataclasses import dataclass

from torch import Tensor


def blend(x: Tensor, *, lam: Tensor, partner: Tensor) -> Tensor:
    """Each of the first B samples of x mixed with its partner, in x's own dtype and memory format.

    x: (B, ...) or, with partners from a second batch that follows the first, (2B, ...); any float dtype.
    lam: () or (B,) in [0, 1]. partner: (B,), int64, places in x. Returns (B, ...).
    Source: Manifold Mixup (arXiv:1806.05236), section 2, the operator Mix.
    """
    # A float32 lam would silently turn bfloat16 activations into float32.
    weight = lam.to(x.dtype).reshape(lam.shape + (1,) * (x.dim() - 1 if lam.dim() else 0))
    own = x if len(x) == len(partner) else x[: len(partner)]  # a slice of everything costs a copy of the gradient
    return weight * own + (1 - weight) * x[partner]  # x[partner] keeps channels_last, index_select does not


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
