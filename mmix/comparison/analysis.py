"""A comparison from values to verdicts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass

from mmix.comparison.description import Description, describe
from mmix.comparison.difference import Difference, differences
from mmix.comparison.matched import Matched, match_costs
from mmix.comparison.pairs import LeftOut, left_out
from mmix.comparison.question import Arm, Question, check
from mmix.comparison.sample import LEVEL

Json = str | int | float | bool | None | dict[str, "Json"] | list["Json"]


@dataclass(frozen=True)
class Analysis:
    """What a comparison says; differences are arm - baseline in the metric's unit."""

    metric: str
    higher_is_better: bool
    baseline: str
    smallest_difference: float | None
    complete: bool
    level: float
    arms: tuple[Description, ...]
    differences: tuple[Difference, ...]
    matched: tuple[Matched, ...]
    left_out: tuple[LeftOut, ...]

    def document(self) -> dict[str, Json]:
        """The analysis as JSON data, its fields by their names."""
        return {field.name: _json(getattr(self, field.name)) for field in fields(self)}


def analyse(arms: Sequence[Arm], question: Question) -> Analysis:
    """The analysis of these arms, in their order; the same arms give the same numbers, to the last bit.

    Raises: SpecError where the question fits no arms, DataBroken where a value is no finite number.
    """
    check(arms, question)
    baseline = next(arm for arm in arms if arm.name == question.baseline)
    others = [arm for arm in arms if arm is not baseline]
    return Analysis(
        metric=question.metric,
        higher_is_better=question.higher_is_better,
        baseline=question.baseline,
        smallest_difference=question.smallest_difference,
        complete=question.complete,
        level=LEVEL,
        arms=tuple(describe(arm) for arm in arms),
        differences=differences(others, baseline, question),
        matched=match_costs(arms, question),
        left_out=left_out(others, baseline),
    )


def _json(value: object) -> Json:
    if value is None or isinstance(value, str | int | float):
        return value
    if is_dataclass(value):
        return {field.name: _json(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {name: _json(part) for name, part in value.items()}
    assert isinstance(value, tuple)
    return [_json(part) for part in value]
