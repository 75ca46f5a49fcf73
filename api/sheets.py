"""A page of the leaderboard as people read it: per cent, the best in bold, published figures in italics."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import isclose
from typing import Literal

import orjson

from api.rows import Json
from mmix.spec.evaluation import higher_is_better, is_attack
from mmix.suites.display import heading, interval, spread

TIED, SUSPECTED, UNKNOWN = "≈", "†", "‡"
NOTES = (
    "± is the standard deviation over n seeds.",
    f"{TIED} The 95 % interval overlaps that of the best row.",
    f"{SUSPECTED} In some runs the attack probably failed for want of a gradient.",
    f"{UNKNOWN} Nobody looked whether the attack had a gradient.",
    "Published figures are in italics, with their z where it can be had.",
)


@dataclass(frozen=True)
class Cell:
    """Some text, its face, and marks that notes explain."""

    text: str
    face: Literal["plain", "bold", "italic"] = "plain"
    marks: str = ""


@dataclass(frozen=True)
class Sheet:
    """A table with a heading for each column; the first `words` columns hold words, the others numbers."""

    heads: tuple[str, ...]
    words: int
    rows: tuple[tuple[Cell, ...], ...]
    notes: tuple[str, ...]


def sheet(rows: Sequence[Json], *, metrics: Sequence[str]) -> Sheet:
    """The rows with these metrics, the first of which is the one that sorts."""
    heads = ("method", "data, model", "n", *map(heading, metrics), "95 % interval", "epochs", "device-seconds")
    best = {metric: _best(rows, metric) for metric in metrics}
    found = tuple(line for row in rows for line in (_measured(row, metrics, best), *_published(row, metrics)))
    marks = "".join(cell.marks for line in found for cell in line)
    cited = any(row.get("published") for row in rows)
    needed = (True, *(mark in marks for mark in (TIED, SUSPECTED, UNKNOWN)), cited)
    notes = tuple(note for note, is_needed in zip(NOTES, needed, strict=True) if is_needed)
    return Sheet(heads, 2, found, notes)


def masking_mark(row: Json, metric: str) -> str:
    """What must stand beside an accuracy under attack; nothing beside another metric, or where gradients were sound."""
    if not is_attack(metric):
        return ""
    suspected = row["masking"]["suspected"]
    return UNKNOWN if suspected is None else SUSPECTED if suspected > 0 else ""


def _measured(row: Json, metrics: Sequence[str], best: dict[str, float]) -> tuple[Cell, ...]:
    took = row["cost"]
    return (
        Cell(row["label"]),
        Cell(_setting(row)),
        Cell(str(row["n"])),
        *(_value(row, metric, best[metric], tied=place == 0 and row["tied"]) for place, metric in enumerate(metrics)),
        Cell(interval(metrics[0], row["intervals"][metrics[0]])),
        Cell("-" if took["epochs"] is None else str(took["epochs"])),
        Cell("-" if took["device_seconds"] is None else f"{took['device_seconds']:.0f}"),
    )


def _value(row: Json, metric: str, best: float, *, tied: bool) -> Cell:
    found = row["metrics"].get(metric)
    if found is None:
        return Cell("-")
    marks = (TIED if tied else "") + masking_mark(row, metric)
    is_best = isclose(found["mean"], best, rel_tol=1e-9)  # sums of equal values may differ in their last bits
    return Cell(spread(metric, found["mean"], found["std"]), "bold" if is_best else "plain", marks)


def _best(rows: Sequence[Json], metric: str) -> float:
    means = [row["metrics"][metric]["mean"] for row in rows if metric in row["metrics"]]
    return (max if higher_is_better(metric) else min)(means, default=float("nan"))


def _published(row: Json, metrics: Sequence[str]) -> Iterator[tuple[Cell, ...]]:
    for figure in row.get("published") or ():
        mark = " (doubtful)" if figure["suspicious"] else ""
        like = [name for name in ("setting", "budget") if figure[f"same_{name}"]]
        told = f"same {' and '.join(like)}" if like else "another setting and budget"
        yield (
            Cell(f"{figure['source']}, {figure['locator']}{mark}", "italic"),
            Cell(f"{told}; {figure['selection']}", "italic"),
            Cell("?" if figure["n"] is None else str(figure["n"]), "italic"),
            Cell(spread(metrics[0], figure["value"], figure["spread"]), "italic"),
            *(Cell("") for _ in metrics[1:]),
            Cell("" if figure["z"] is None else f"z = {figure['z']:+.2f}", "italic"),
            Cell(""),
            Cell(""),
        )


def _setting(row: Json) -> str:
    spec = orjson.loads(row["spec"])
    return f"{spec['data'].get('name', spec['data']['kind'])}, {spec['model']['kind']}"
