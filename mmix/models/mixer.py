"""What a network shows its states to."""

from typing import Protocol

from torch import Tensor


class Mixer(Protocol):
    """A plan, or whoever else wants to see the state at each mix point of one forward pass."""

    @property
    def last_point_used(self) -> int:
        """The deepest mix point at which this mixer does anything."""

    def at(self, point: int, x: Tensor) -> Tensor:
        """What goes on from this mix point; x itself where nothing is mixed. x: (B, ...)."""
