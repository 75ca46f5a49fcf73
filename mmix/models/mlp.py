"""The fully connected network."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Literal, assert_never

from torch import nn

from mmix.models.staged import Staged

Activation = Literal["relu", "leaky_relu"]


def mlp(*, inputs: int, hidden: Sequence[int], classes: int, activation: Activation = "relu") -> Staged:
    """One stage for each hidden layer and a linear head; images are flattened first."""
    stages = layers((inputs, *hidden), activation=activation)
    stages[0].insert(0, nn.Flatten())
    names = [f"hidden layer {number}" for number in range(1, len(hidden) + 1)]
    return Staged(stages, nn.Linear(hidden[-1], classes), names=names)


def layers(widths: Sequence[int], *, activation: Activation) -> list[nn.Sequential]:
    """A linear layer and its activation between each two neighbours of `widths`."""
    return [nn.Sequential(nn.Linear(before, after), _activation(activation)) for before, after in pairwise(widths)]


def _activation(activation: Activation) -> nn.Module:
    match activation:
        case "relu":
            return nn.ReLU()
        case "leaky_relu":
            return nn.LeakyReLU()  # torch's slope of 0.01: the paper states none
        case _:
            assert_never(activation)
