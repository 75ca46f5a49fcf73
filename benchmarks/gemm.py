"""How many operations a step takes, and how many a second the machine manages in one large matrix product."""

import statistics
import time
from collections.abc import Sequence
from itertools import pairwise

import torch

from mmix.spec.optimisation import Precision

SIDE = 2048


def step_flops(widths: Sequence[int], *, batch_size: int) -> int:
    """The multiplications and additions in the matrix products of one training step of a fully connected network.

    Forward, the gradient of the weights, and that of the states: the input's own is not asked for.
    widths: from the inputs to the classes.
    """
    sizes = [before * after for before, after in pairwise(widths)]
    return 2 * batch_size * (3 * sum(sizes) - sizes[0])


def rate(precision: Precision, *, rounds: int = 3) -> float:
    """Operations a second in a product of two square matrices of side 2048, with torch's present threads; a median."""
    assert precision != "fp16", "neither the study nor the benchmarks compute in fp16"
    one = torch.randn(SIDE, SIDE, dtype=torch.bfloat16 if precision == "bf16" else torch.float32)
    torch.mm(one, one)  # the first product allocates

    def seconds() -> float:
        start = time.perf_counter()
        torch.mm(one, one)
        return time.perf_counter() - start

    return 2 * SIDE**3 / statistics.median(seconds() for _ in range(rounds))
