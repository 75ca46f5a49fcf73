"""A sample of each metric's standings, kept for a while: what a search is planned by, and never what it finds.

A sample that is out of date costs time alone, so that a search needn't ask the database for it each time.
"""

import time
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import text
from sqlalchemy.orm import Session

from mmix.store.tables import SAMPLE
from mmix.store.ways import FACETS, PLACES, Chosen, Met, Sample, Walk

FRESH_SECONDS = 60.0
_MOST = 64  # metrics whose samples are kept

Mask = NDArray[np.bool_]


class Words:
    """Which of some rows have which words."""

    def __init__(self, rows: Iterable[Iterable[object]]) -> None:
        self._places: dict[object, list[int]] = defaultdict(list)
        self._masks: dict[object, Mask] = {}
        self.rows = 0
        for place, words in enumerate(rows):
            self.rows = place + 1
            for word in words:
                self._places[word].append(place)

    def where(self, word: object) -> Mask:
        """Of each row, whether it has this word; looked up once."""
        found = self._masks.get(word)
        if found is None:
            found = np.zeros(self.rows, dtype=bool)
            found[self._places.get(word, [])] = True
            if word in self._places:  # what nobody has isn't worth remembering
                self._masks[word] = found
        return found


@dataclass(frozen=True)
class Drawn:
    """The sampled standings of a metric, the smallest mean first, and all cells, as they were at some time.

    facets: the words are facets. parts, cells: they are pairs of a part and what it is.
    """

    at: float
    mean: NDArray[np.float64]
    digest: NDArray[np.str_]
    n: NDArray[np.int64]
    facets: Words
    parts: Words
    cells: Words


class Samples:
    """The samples that are known, each until it is `FRESH_SECONDS` old. Threads may share it."""

    def __init__(self) -> None:
        self._drawn: dict[tuple[str, str], Drawn] = {}

    def of(self, session: Session, *, metric: str, selection: str) -> Drawn:
        """The sample of a metric, read now where none that is fresh is known."""
        found = self._drawn.get((metric, selection))
        if found is None or time.monotonic() - found.at > FRESH_SECONDS:
            if len(self._drawn) >= _MOST:
                self._drawn = {}
            found = self._drawn[metric, selection] = _draw(session, metric=metric, selection=selection)
        return found


def survey(drawn: Drawn, chosen: Chosen) -> Sample:
    """What the filters leave of the sample."""
    walked = _walked(drawn, chosen)
    parts = {part: drawn.parts.where((part, value))[walked] for part, value in chosen.cell.items()}
    fits = [drawn.facets.where(word)[walked] for word in chosen.facets]
    everything = np.ones(len(walked), dtype=bool)
    here = reduce(np.logical_and, parts.values(), everything)
    enough = drawn.n[walked] >= chosen.min_n
    hit = reduce(np.logical_and, fits, here & enough)
    walks: dict[Walk, Met] = {"all": _met(everything, hit)}
    walks |= {part: _met(is_there, hit) for part, is_there in parts.items()}
    return Sample(
        walks=walks, here=int(here.sum()), enough=int(enough.sum()), hits=int(hit.sum()), cells=_cells(drawn, chosen)
    )


def _walked(drawn: Drawn, chosen: Chosen) -> NDArray[np.intp]:
    """The rows from where the page begins, in the order in which they are walked along."""
    if chosen.after is None:
        left = np.arange(len(drawn.mean))
    else:
        mean, digest = chosen.after
        further = np.less if chosen.falling else np.greater
        left = np.flatnonzero(
            further(drawn.mean, mean) | ((drawn.mean == mean) & further(drawn.digest, np.str_(digest)))
        )
    return left[::-1] if chosen.falling else left


def _met(is_there: Mask, hit: Mask) -> Met:
    """On a walk along those that are there: how many they are, and as which of them the first hits are met."""
    places = np.cumsum(is_there)[hit][:PLACES]
    return Met(int(is_there.sum()), tuple(int(place) for place in places))


def _cells(drawn: Drawn, chosen: Chosen) -> int:
    left = np.ones(drawn.cells.rows, dtype=bool)
    for cell in chosen.cell.items():
        left &= drawn.cells.where(cell)
    for part, kinds in chosen.kinds.items():
        left &= reduce(
            np.logical_or, [drawn.cells.where((part, kind)) for kind in kinds], np.zeros(drawn.cells.rows, dtype=bool)
        )
    return int(left.sum())


def _draw(session: Session, *, metric: str, selection: str) -> Drawn:
    at = time.monotonic()
    rows = session.execute(_SAMPLED, {"metric": metric, "selection": selection}).all()
    cells = session.execute(_CELLS).all()
    return Drawn(
        at=at,
        mean=np.array([row.mean for row in rows], dtype=np.float64),
        digest=np.array([row.digest for row in rows], dtype=np.str_),
        n=np.array([row.n for row in rows], dtype=np.int64),
        facets=Words(row.words for row in rows),
        parts=Words(_parts(row) for row in rows),
        cells=Words(_parts(row) for row in cells),
    )


def _parts(row: Any) -> list[tuple[str, object]]:
    return [(part, getattr(row, part)) for part in FACETS]


_SAMPLED = text(
    f"""
    SELECT l.mean, l.digest, l.n, l.data, l.model, l.mixing, l.epochs, l.loss, groups.facets AS words
    FROM leaderboard AS l JOIN groups ON groups.digest = l.digest
    WHERE metric = :metric AND selection = :selection AND l.{SAMPLE} ORDER BY l.mean, l.digest
    """
)
_CELLS = text("SELECT data, model, mixing, epochs, loss FROM cells")
