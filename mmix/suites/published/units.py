"""From a source's unit to ours."""

from decimal import Decimal
from typing import assert_never

from mmix.suites.published.entry import Unit

_ERRORS = ("error", "top5_error")


def ours(number: float, *, unit: Unit, metric: str | None) -> float:
    """The figure in mmix's unit: an accuracy becomes an error where the metric is one.

    Decimal arithmetic keeps a printed 4.83 % the number 0.0483.
    """
    scaled = Decimal(repr(number)) * _scale(unit)
    return float(1 - scaled if unit == "% accuracy" and metric in _ERRORS else scaled)


def spread(number: float, *, unit: Unit) -> float:
    """A spread in mmix's unit."""
    return float(Decimal(repr(number)) * abs(_scale(unit)))


def is_fraction(unit: Unit) -> bool:
    """Whether figures of this unit lie in 0..1 once they are ours."""
    return unit.startswith("%")


def _scale(unit: Unit) -> Decimal:
    match unit:
        case "% error" | "% accuracy" | "% excess risk" | "%":
            return Decimal("0.01")
        case "points of accuracy":
            return Decimal("-0.01")  # what accuracy gains, error loses
        case "hours":
            return Decimal(3600)
        case "GB":
            return Decimal(10**9)
        case "nats" | "seconds" | "singular value" | "score":
            return Decimal(1)
        case _:
            assert_never(unit)
