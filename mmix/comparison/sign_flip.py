"""A test that asks only that a difference is as likely to be turned round, if the arms are alike."""

from dataclasses import dataclass

import numpy as np

from mmix.comparison.paired import Values
from mmix.comparison.sample import ROUNDING

EXACT = 16  # pairs whose 2^16 flips are all looked at
DRAWS = 9_999  # flips drawn where there are more pairs; with the one observed a p in steps of 1e-4
SEED = 20_260
_BLOCK = 1_000_000  # signs at a time: 8 MB


@dataclass(frozen=True)
class SignFlip:
    """`attainable` is the smallest p that this test could have given for so many pairs; `flips` were looked at."""

    p: float
    attainable: float
    flips: int
    exact: bool


def sign_flip(difference: Values) -> SignFlip | None:
    """The share of the flips of signs whose mean is as far from 0 as the one observed; None without pairs.

    difference: (n,). Beyond 16 pairs p is (b + 1) / (m + 1) for b of m flips drawn, the same in every call.
    Source: Fisher (1935), "The design of experiments", chapter 3; Phipson and Smyth (2010) for the two ones.
    """
    if len(difference) == 0:
        return None
    few = 2.0 ** (1 - np.count_nonzero(difference))  # all signs one way or the other; zeros have none to flip
    observed = abs(difference.sum()) - ROUNDING * np.abs(difference).sum()  # sums that are equal but for rounding count
    if len(difference) <= EXACT:
        sums = _all_sums(difference)
        return SignFlip(
            p=float((np.abs(sums) >= observed).mean()), attainable=min(1.0, few), flips=len(sums), exact=True
        )
    reached = np.count_nonzero(np.abs(_drawn_sums(difference)) >= observed)
    attainable = min(1.0, max(few, 1 / (DRAWS + 1)))
    return SignFlip(p=(int(reached) + 1) / (DRAWS + 1), attainable=attainable, flips=DRAWS, exact=False)


def _all_sums(difference: Values) -> Values:
    sums = np.zeros(1)
    for value in difference:
        sums = np.concatenate([sums + value, sums - value])
    return sums


def _drawn_sums(difference: Values) -> Values:
    draw, n = np.random.default_rng(SEED), len(difference)
    rows = max(1, _BLOCK // n)
    sizes = [min(rows, DRAWS - start) for start in range(0, DRAWS, rows)]
    sums = [(2.0 * draw.integers(0, 2, size=(size, n), dtype=np.int8) - 1) @ difference for size in sizes]
    return np.concatenate(sums)
