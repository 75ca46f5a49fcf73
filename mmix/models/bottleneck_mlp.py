"""The fully connected network with a linear bottleneck, in which hidden states can be looked at."""

from collections.abc import Sequence

from torch import nn

from mmix.models.mlp import Activation, layers
from mmix.models.staged import Staged


def bottleneck_mlp(
    *,
    inputs: int,
    before: Sequence[int],
    width: int,
    after: Sequence[int],
    classes: int,
    activation: Activation,
    norm: bool,
) -> Staged:
    """The layers `before`, a linear layer to `width` (with BN, if `norm`), the layers `after` and a linear head.

    Each layer is a stage; the bottleneck's mix point lies after its BN. Images are flattened first.
    Source: the authors' first experiments: 784-1024-1024-1024-2, BN, 2-1024-1024-10; the paper's text has two
        layers of 1024 on each side.
    """
    stages = layers((inputs, *before), activation=activation)
    stages[0].insert(0, nn.Flatten())
    normed = [nn.BatchNorm1d(width)] if norm else []
    stages.append(nn.Sequential(nn.Linear(before[-1], width), *normed))
    stages += layers((width, *after), activation=activation)
    return Staged(stages, nn.Linear(after[-1], classes), names=_names(len(before), len(after)))


def _names(before: int, after: int) -> list[str]:
    hidden = [f"hidden layer {number}" for number in range(1, before + after + 1)]
    return [*hidden[:before], "bottleneck", *hidden[before:]]
