"""Which rows of a ranking can't be told apart by their intervals."""

from collections.abc import Sequence

from mmix.comparison.sample import Interval


def overlap(first: Interval | None, second: Interval | None) -> bool:
    """Whether two intervals have a point in common; one that isn't known can lie anywhere."""
    if first is None or second is None:
        return True
    return first[0] <= second[1] and second[0] <= first[1]


def with_best(ranked: Sequence[Interval | None]) -> list[bool]:
    """Of each row, best first, whether it is tied with the first one."""
    return [overlap(ranked[0], each) for each in ranked]


def with_previous(ranked: Sequence[Interval | None], *, before: Interval | None) -> list[bool]:
    """Of each row, best first, whether it is tied with the row above; `before` is above the first."""
    return [overlap(above, each) for above, each in zip([before, *ranked], ranked, strict=False)]


def groups(ranked: Sequence[Interval | None]) -> list[int]:
    """Of each row, best first, the number of its tied group, from 1.

    A group is its first known interval and the rows after it that overlap with that; the first that doesn't begins the
    next group. So all of a group are tied with its best, which a chain of neighbours would not promise.
    """
    numbers: list[int] = []
    best: Interval | None = None
    for place, each in enumerate(ranked):
        starts = place == 0 or not overlap(best, each)
        best = each if starts or best is None else best
        numbers.append((numbers[-1] if numbers else 0) + starts)
    return numbers
