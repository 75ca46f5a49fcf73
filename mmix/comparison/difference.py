"""An arm against the baseline: the test that gives the verdict, and those that stand beside it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mmix.comparison import power
from mmix.comparison.bootstrap import Bootstrap, over_seeds, over_seeds_and_images
from mmix.comparison.holm import adjust
from mmix.comparison.notes import IMAGES_LEFT, Seen, notes
from mmix.comparison.paired import Paired, compare
from mmix.comparison.pairs import Pairs, pair
from mmix.comparison.power import Power
from mmix.comparison.question import Arm, Question
from mmix.comparison.sample import Interval
from mmix.comparison.sign_flip import SignFlip, sign_flip
from mmix.comparison.verdict import Verdict, judge

Table = NDArray[np.float64]
_AGREES = 1e-4  # by how much the images' mean may miss the metric, relative: logits are kept in float32


@dataclass(frozen=True)
class Difference:
    """arm - baseline over their pairs, in the metric's unit. `p_holm` gives the verdict, all else informs."""

    arm: str
    n: int
    mean: float | None
    std: float | None
    interval: Interval | None
    t: float | None
    p: float | None
    p_holm: float | None
    verdict: Verdict
    sign_flip: SignFlip | None
    bootstrap: Bootstrap | None
    correlation: float | None
    std_unpaired: float | None
    gain: float | None
    power: Power | None
    notes: tuple[str, ...]


def differences(arms: Sequence[Arm], baseline: Arm, question: Question) -> tuple[Difference, ...]:
    """Each arm against the baseline, their p adjusted together. arms: all but the baseline."""
    pairs = [pair(arm.values, baseline.values) for arm in arms]
    tests = [compare(each.arm, each.baseline) for each in pairs]
    adjusted = adjust([test.p for test in tests])
    return tuple(
        _difference(arm, baseline, question, pairs=each, test=test, p_holm=p_holm, family=len(arms))
        for arm, each, test, p_holm in zip(arms, pairs, tests, adjusted, strict=True)
    )


def _difference(
    arm: Arm, baseline: Arm, question: Question, *, pairs: Pairs, test: Paired, p_holm: float | None, family: int
) -> Difference:
    flips = sign_flip(pairs.arm - pairs.baseline)
    chance = _power(test, question, family)
    verdict = judge(test.mean, p_holm, question)
    table = _images(arm, baseline, pairs)
    seen = Seen(units=pairs.units, test=test, verdict=verdict, sign_flip=flips, power=chance)
    images_left = table is None and bool(arm.images or baseline.images)
    return Difference(
        arm=arm.name,
        n=test.n,
        mean=test.mean,
        std=test.std,
        interval=test.interval,
        t=test.t,
        p=test.p,
        p_holm=p_holm,
        verdict=verdict,
        sign_flip=flips,
        bootstrap=over_seeds(pairs.arm - pairs.baseline) if table is None else over_seeds_and_images(table),
        correlation=test.correlation,
        std_unpaired=test.std_unpaired,
        gain=test.gain,
        power=chance,
        notes=notes(seen) + ((IMAGES_LEFT,) if images_left else ()),
    )


def _power(test: Paired, question: Question, family: int) -> Power | None:
    if question.smallest_difference is None or not test.std:
        return None
    return power.of(difference=question.smallest_difference, std=test.std, n=test.n, arms=family)


def _images(arm: Arm, baseline: Arm, pairs: Pairs) -> Table | None:
    """(n, images), the differences of each test image; None unless all pairs have them and they are the metric's.

    Realisations have test images of their own each, of which the first is no more like another's first than its last.
    """
    sides = [(arm, pairs.arm), (baseline, pairs.baseline)]
    if not pairs.units or any(unit not in side.images or len(unit) > 1 for side, _ in sides for unit in pairs.units):
        return None
    if len({side.images[unit].shape for side, _ in sides for unit in pairs.units}) > 1:
        return None
    tables = [np.stack([side.images[unit] for unit in pairs.units]).astype(np.float64) for side, _ in sides]
    for table, (_, values) in zip(tables, sides, strict=True):
        if not np.allclose(table.mean(axis=1), values, rtol=_AGREES, atol=1e-6):
            return None
    difference: Table = tables[0] - tables[1]
    return difference
