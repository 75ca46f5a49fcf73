"""The fully connected network."""

from collections.abc import Sequence
from itertools import pairwise

from torch import nn

from mmix.models.staged import Staged


def mlp(*, inputs: int, hidden: Sequence[int], classes: int) -> Staged:
    """One stage for each hidden layer (linear, ReLU) and a linear head; images are flattened first."""
    widths = pairwise((inputs, *hidden))
    stages = [nn.Sequential(nn.Linear(before, after), nn.ReLU()) for before, after in widths]
    stages[0].insert(0, nn.Flatten())
    return Staged(stages, nn.Linear(hidden[-1], classes))
