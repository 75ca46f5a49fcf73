"""The words of a claim's verdict, and how numbers are said beside them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from mmix.comparison.sample import Interval

Word = Literal["reproduced", "not reproduced", "not resolved", "not run"]


@dataclass(frozen=True)
class Verdict:
    """The word, and what it rests on in words and numbers, in the metrics' units."""

    word: Word
    evidence: str


def together(words: Sequence[Word], *, needed: int | None = None) -> Word:
    """One word for several: so many of them, or all, must say so, or it must be beyond their reach."""
    wanted = len(words) if needed is None else needed
    if words.count("reproduced") >= wanted:
        return "reproduced"
    return "not reproduced" if words.count("not reproduced") > len(words) - wanted else "not resolved"


def lies(span: Interval | None, *, low: float, high: float) -> Word:
    """Whether what lies in this span, if that is known, lies between the bounds."""
    if span is None:
        return "not resolved"
    if low <= span[0] and span[1] <= high:
        return "reproduced"
    return "not reproduced" if span[1] < low or span[0] > high else "not resolved"


def number(value: float | None) -> str:
    """Four digits of it."""
    return "unknown" if value is None else f"{value:.4g}"


def told(mean: float | None, interval: Interval | None) -> str:
    """A mean and its interval."""
    return number(mean) + ("" if interval is None else f" [{interval[0]:.4g}, {interval[1]:.4g}]")


def bounds(low: float, high: float) -> str:
    """What was wanted."""
    if low == float("-inf"):
        return f"at most {high:g}"
    return f"at least {low:g}" if high == float("inf") else f"{low:g} to {high:g}"
