"""One verdict for each of several arms, and yet one chance in twenty of any wrong one."""

from collections.abc import Sequence


def adjust(found: Sequence[float | None]) -> list[float | None]:
    """The adjusted p of each test, in the order given; a test without a p counts as one, and stays without.

    So the family is what was declared, however many of its arms came back.
    Source: Holm (1979), "A simple sequentially rejective multiple test procedure".
    """
    adjusted: list[float | None] = [None] * len(found)
    highest = 0.0
    known = sorted((p, place) for place, p in enumerate(found) if p is not None)
    for rank, (p, place) in enumerate(known):
        highest = max(highest, min(1.0, (len(found) - rank) * p))
        adjusted[place] = highest
    return adjusted
