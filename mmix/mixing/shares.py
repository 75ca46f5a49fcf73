"""How a batch is cut into the shares within which partners are found, one for each device where there are several."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Literal

SMALLEST = 2
"""Of how many samples a share has to be: mixing and batch normalisation need two."""


def cut(size: int, count: int) -> tuple[int, ...]:
    """The sizes of `count` shares of a batch, which lie one behind the other: as equal as can be, larger ones first."""
    each, rest = divmod(size, count)
    return (each + 1,) * rest + (each,) * (count - rest)


@dataclass(frozen=True)
class Shares:
    """Into how many shares each batch is cut, and which of them, counted from 0, this process has: `own`, or all."""

    count: int = 1
    own: int | Literal["all"] = "all"

    def kept(self, size: int) -> bool:
        """Whether a batch of this size leaves each share enough samples."""
        return size >= SMALLEST * self.count

    def place(self, size: int) -> slice:
        """Where in a batch of this size the samples lie that this process has."""
        if self.own == "all":
            return slice(0, size)
        ends = list(accumulate(cut(size, self.count), initial=0))
        return slice(ends[self.own], ends[self.own + 1])

    def size(self, size: int) -> int:
        """How many samples of a batch of this size this process has."""
        place: slice = self.place(size)
        return int(place.stop - place.start)

    def groups(self, size: int) -> Sequence[tuple[int, int, int]]:
        """Which shares this process has of a batch of this size, from where on it has each, and of how many samples."""
        sizes = cut(size, self.count)
        if self.own != "all":
            return [(self.own, 0, sizes[self.own])]
        return list(zip(range(self.count), accumulate(sizes, initial=0), sizes, strict=False))


WHOLE = Shares()
"""The whole of each batch in one share."""
