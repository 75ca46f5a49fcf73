"""Data sets that aren't the same everywhere."""

from collections import defaultdict
from collections.abc import Iterable, Mapping

ADVICE = "results from them can't be compared; prepare it again from one source"


def clashes(shelves: Iterable[tuple[str, Mapping[str, str | None]]]) -> list[str]:
    """A line for each data set whose checksum two workers tell differently.

    shelves: for each worker what to call it, and the checksums of its data sets.
    """
    tellers: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for worker, data in shelves:
        for name, checksum in data.items():
            if checksum is not None:
                tellers[name][checksum].append(worker)
    return [f"{name} is {_sides(told)}" for name, told in sorted(tellers.items()) if len(told) > 1]


def _sides(told: Mapping[str, list[str]]) -> str:
    return ", but ".join(f"{checksum[:12]} at {' and '.join(workers)}" for checksum, workers in told.items())
