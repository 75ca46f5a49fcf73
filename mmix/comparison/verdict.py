"""The words of an answer."""

from typing import Literal

from mmix.comparison.question import Question
from mmix.comparison.sample import LEVEL

Verdict = Literal["better", "worse", "not resolved", "pending"]


def judge(mean: float | None, p_holm: float | None, question: Question) -> Verdict:
    """What a difference arm - baseline of this mean and adjusted p says of the arm."""
    if not question.complete:
        return "pending"
    if mean is None or p_holm is None or p_holm > LEVEL:
        return "not resolved"
    return "better" if (mean > 0) is question.higher_is_better else "worse"
