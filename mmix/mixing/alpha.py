"""The alpha of Beta(alpha, alpha), which may follow a schedule over epochs."""

from typing import assert_never

from mmix.spec.part import Alpha, Falling, Linear, Rising

SMALLEST = 1e-4
"""Below it lambda is 1: Beta(0, 0) is no distribution, and nearby lambda is 0 or 1 to machine precision."""


def value(alpha: Alpha, *, epoch: int, epochs: int) -> float:
    """Alpha in an epoch, counted from 0, of a training of `epochs`; a pure function, so resuming needs no state.

    Source: ConfMix manuscript, section 4.2: "an exponential decay scheme, with a half-life of 25 epochs".
    """
    match alpha:
        case float():
            return alpha
        case Rising():
            return 1 - 2 ** (-epoch / alpha.half_life)
        case Falling():
            return 2 ** (-epoch / alpha.half_life)
        case Linear():
            return alpha.start + (alpha.end - alpha.start) * epoch / max(epochs - 1, 1)
        case _:
            assert_never(alpha)
