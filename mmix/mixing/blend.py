"""The one formula of mixing: x <- w * x + (1 - w) * x[partner]."""

from torch import Tensor


def blend(x: Tensor, *, lam: Tensor, partner: Tensor) -> Tensor:
    """Each sample of x mixed with its partner, in x's own dtype and memory format.

    x: (B, ...), any float dtype. lam: () or (B,) in [0, 1]. partner: (B,), int64 in 0..B-1.
    Source: Manifold Mixup (arXiv:1806.05236), section 2, the operator Mix.
    """
    # A float32 lam would silently turn bfloat16 activations into float32.
    weight = lam.to(x.dtype).reshape(lam.shape + (1,) * (x.dim() - 1 if lam.dim() else 0))
    return weight * x + (1 - weight) * x[partner]  # x[partner] keeps channels_last, index_select does not
