"""Reads seeds as people write them."""

import typer

_MOST = 1000


def parse_seeds(text: str) -> list[int]:
    """The seeds in "0-4", "0,2,5" or a mixture.

    Raises: typer.BadParameter
    """
    seeds: list[int] = []
    try:
        for part in text.split(","):
            first, _, last = part.strip().partition("-")
            if last and int(last) - int(first) >= _MOST:
                raise ValueError
            seeds += range(int(first), int(last or first) + 1)
    except ValueError:
        raise typer.BadParameter(f"{text!r} are no seeds: write 0-4 or 0,2,5, at most {_MOST} of them") from None
    if not seeds or len(set(seeds)) != len(seeds) or len(seeds) > _MOST:
        raise typer.BadParameter(f"{text!r}: give 1 to {_MOST} seeds, each once")
    return seeds
