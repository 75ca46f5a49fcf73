"""What the arms come to when each may spend only what the cheapest one costs."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import floor
from typing import Literal, get_args

from mmix.comparison.description import mean_cost
from mmix.comparison.holm import adjust
from mmix.comparison.paired import compare
from mmix.comparison.pairs import pair
from mmix.comparison.question import Arm, Question, Unit
from mmix.comparison.sample import ROUNDING, Interval, summarise
from mmix.comparison.verdict import Verdict, judge

Currency = Literal["forward_backward_passes", "device_seconds"]


@dataclass(frozen=True)
class MatchedArm:
    """An arm at the last measured epoch within the budget; None where no epoch is, or nothing is known of it."""

    name: str
    epoch: int | None
    n: int
    mean: float | None
    std: float | None


@dataclass(frozen=True)
class MatchedDifference:
    """arm - baseline at equal cost. Secondary: these tests are a Holm family of their own, beside the primary one."""

    arm: str
    n: int
    mean: float | None
    interval: Interval | None
    p: float | None
    p_holm: float | None
    verdict: Verdict


@dataclass(frozen=True)
class Matched:
    """The comparison at the budget of the cheapest arm."""

    by: Currency
    budget: float
    arms: tuple[MatchedArm, ...]
    differences: tuple[MatchedDifference, ...]


@dataclass(frozen=True)
class _Cut:
    """An arm cut off at an epoch."""

    name: str
    epoch: int | None
    values: dict[Unit, float]


def match_costs(arms: Sequence[Arm], question: Question) -> tuple[Matched, ...]:
    """The comparison at equal cost, for each currency in which the baseline and another arm are known, with curves."""
    views = (_view(by, arms, question) for by in get_args(Currency))
    return tuple(view for view in views if view is not None)


def _view(by: Currency, arms: Sequence[Arm], question: Question) -> Matched | None:
    costs = {arm.name: mean_cost(arm)[by] for arm in arms if arm.curves and mean_cost(arm).get(by, 0.0) > 0}
    if question.baseline not in costs or len(costs) < 2:
        return None
    budget = min(costs.values())
    cuts = [
        _cut(arm, share=budget / costs[arm.name]) if arm.name in costs else _Cut(arm.name, None, {}) for arm in arms
    ]
    return Matched(
        by=by, budget=budget, arms=tuple(_arm(cut) for cut in cuts), differences=_differences(cuts, question)
    )


def _cut(arm: Arm, *, share: float) -> _Cut:
    """The arm at the last measured epoch within its share of the epochs, which all cost the same.

    All units are cut at one epoch, by the arm's mean cost: by their own, seconds that vary would cut half of the
    cheapest arm's runs before their end.
    """
    measured = {epoch for curve in arm.curves.values() for epoch, _ in curve}
    allowed = floor(max(measured, default=0) * share + ROUNDING)
    epoch = max((each for each in measured if each <= allowed), default=None)
    values = {unit: value for unit, curve in arm.curves.items() for at, value in curve if at == epoch}
    return _Cut(arm.name, epoch, values)


def _arm(cut: _Cut) -> MatchedArm:
    sample = summarise(cut.values.values())
    return MatchedArm(cut.name, epoch=cut.epoch, n=sample.n, mean=sample.mean, std=sample.std)


def _differences(cuts: Sequence[_Cut], question: Question) -> tuple[MatchedDifference, ...]:
    baseline = next(cut for cut in cuts if cut.name == question.baseline)
    others = [cut for cut in cuts if cut is not baseline]
    pairs = [pair(cut.values, baseline.values) for cut in others]
    tests = [compare(each.arm, each.baseline) for each in pairs]
    return tuple(
        MatchedDifference(
            arm=cut.name,
            n=test.n,
            mean=test.mean,
            interval=test.interval,
            p=test.p,
            p_holm=p_holm,
            verdict=judge(test.mean, p_holm, question),
        )
        for cut, test, p_holm in zip(others, tests, adjust([test.p for test in tests]), strict=True)
    )
