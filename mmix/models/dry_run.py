"""One forward pass on nothing, to see what states a network has where."""

from dataclasses import dataclass, field
from itertools import count

import torch
from torch import Tensor, nn


@dataclass(eq=False)
class Witness:
    """A mixer that mixes nothing and keeps the shape of a sample's state at each point."""

    shapes: dict[int, tuple[int, ...]] = field(default_factory=dict)
    last_point_used: int = 0

    def at(self, point: int, x: Tensor) -> Tensor:
        """x itself. x: (B, ...)."""
        self.shapes[point] = tuple(x.shape[1:])
        return x


def dry_run(network: nn.Module, *, shape: tuple[int, ...]) -> dict[int, tuple[int, ...]]:
    """The shape of a sample's state at each mix point, where samples have `shape`. The network is left in eval mode.

    Raises: SpecError where a hooked module can't be a mix point.
    """
    witness = Witness()
    with torch.no_grad():
        network.eval()(zeros(network, shape=shape), witness)
    return witness.shapes


def zeros(network: nn.Module, *, shape: tuple[int, ...]) -> Tensor:
    """A batch of nothing, where the network lies."""
    # Of a size that no side of the samples has: a state whose first dimension is this is batch first.
    batch = next(size for size in count(2) if size not in shape)
    return torch.zeros(batch, *shape, device=next(network.parameters()).device)
