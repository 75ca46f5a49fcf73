"""What a benchmark says: figures with a goal, and how two things are timed in turn."""

import statistics
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Figure:
    """One measured value. low, high: its smallest and largest over the rounds. A figure without a goal only informs."""

    name: str
    value: float
    unit: str
    low: float
    high: float
    rounds: int
    goal: float | None = None
    sense: Literal[">=", "<="] = ">="

    @property
    def met(self) -> bool | None:
        """Whether the goal is reached; None without one."""
        if self.goal is None:
            return None
        return self.value >= self.goal if self.sense == ">=" else self.value <= self.goal

    def line(self) -> str:
        """name value unit (goal >= G): met."""
        told = f"{self.name} {shown(self.value)} {self.unit}"
        if self.goal is None:
            return told
        return f"{told} (goal {self.sense} {self.goal:g}): {'met' if self.met else 'missed'}"


def shown(value: float) -> str:
    """Three significant digits, or all before the point."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def over(
    name: str, values: list[float], unit: str, *, goal: float | None = None, sense: Literal[">=", "<="] = ">="
) -> Figure:
    """The figure of repeated measurements: their median, smallest and largest."""
    return Figure(name, statistics.median(values), unit, min(values), max(values), len(values), goal, sense)


def in_turn(one: Callable[[], float], other: Callable[[], float], *, rounds: int) -> list[tuple[float, float]]:
    """Both measured in turn, `rounds` times, after one round that doesn't count; the order changes every round.

    A machine that gets slower for a while so slows both.
    """
    one(), other()
    pairs = []
    for number in range(rounds):
        if number % 2:
            second, first = other(), one()
        else:
            first, second = one(), other()
        pairs.append((first, second))
    return pairs
