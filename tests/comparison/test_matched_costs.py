from dataclasses import replace

import pytest
from scipy import stats

from mmix.comparison import Arm, Question, Unit, analyse
from mmix.comparison.matched import Matched

QUESTION = Question(metric="error", baseline="erm", higher_is_better=False, smallest_difference=None, complete=True)
ERM = [0.30, 0.20, 0.10, 0.08]
SLOW = [0.28, 0.15, 0.06, 0.01]


def _arm(name: str, curve: list[float], **cost: list[float]) -> Arm:
    """Three seeds; seed s has the curve + s / 100, from epoch 1."""
    curves: dict[Unit, list[tuple[int, float]]] = {
        (s,): [(epoch, value + s / 100) for epoch, value in enumerate(curve, 1)] for s in range(3)
    }
    costs: dict[str, dict[Unit, float]] = {
        kind: {(s,): each for s, each in enumerate(found)} for kind, found in cost.items()
    }
    return Arm(name, {unit: found[-1][1] for unit, found in curves.items()}, cost=costs, curves=curves)


def _view(arms: list[Arm], question: Question = QUESTION) -> Matched:
    (view,) = analyse(arms, question).matched
    return view


def test_each_arm_is_read_at_the_last_epoch_that_the_cheapest_could_pay() -> None:
    # erm: 4 epochs for 120, 30 each. slow: 4 for 160, 40 each: in 120 there are 3 of them
    view = _view([
        _arm("erm", ERM, forward_backward_passes=[120, 120, 120]),
        _arm("slow", SLOW, forward_backward_passes=[160, 160, 160]),
    ])  # fmt: skip
    assert (view.by, view.budget) == ("forward_backward_passes", 120)
    assert [(arm.name, arm.epoch, arm.n) for arm in view.arms] == [("erm", 4, 3), ("slow", 3, 3)]
    assert [arm.mean for arm in view.arms] == pytest.approx([0.09, 0.07])


def test_what_can_be_paid_exactly_is_not_lost_by_rounding() -> None:
    # 9 x (1 / (9/7)) is 7, and 6.999999999999999 in floating point
    curve = [0.1] * 9
    view = _view([
        _arm("erm", curve, forward_backward_passes=[1.0, 1.0, 1.0]),
        _arm("slow", curve, forward_backward_passes=[9 / 7, 9 / 7, 9 / 7]),
    ])  # fmt: skip
    assert view.arms[1].epoch == 7


def test_seconds_that_vary_between_runs_do_not_cut_the_cheapest_arm() -> None:
    view = _view([
        _arm("erm", ERM, device_seconds=[99, 100, 104]),
        _arm("slow", SLOW, device_seconds=[240, 200, 166]),
    ])  # fmt: skip
    assert (view.by, view.budget) == ("device_seconds", 101)
    assert [(arm.epoch, arm.n) for arm in view.arms] == [(4, 3), (2, 3)]


def test_at_equal_cost_the_better_can_become_the_worse() -> None:
    curve = [0.9, 0.5, 0.3, 0.01]
    slow = _arm("slow", curve, forward_backward_passes=[2.0, 2.0, 2.0])
    jittered = {
        unit: [(epoch, value + unit[0] ** 2 / 1000) for epoch, value in found] for unit, found in slow.curves.items()
    }
    arms = [_arm("erm", ERM, forward_backward_passes=[1.0, 1.0, 1.0]), replace(slow, curves=jittered)]
    found = _view(arms).differences[0]
    # epoch 2 of slow, .5 .511 .524, against .08 .09 .1
    expected = stats.ttest_rel([0.5, 0.511, 0.524], [0.08, 0.09, 0.10])
    assert (found.mean, found.p) == pytest.approx((1.265 / 3, expected.pvalue))
    assert found.interval == pytest.approx(tuple(expected.confidence_interval(0.95)))
    assert found.verdict == "worse"
    assert _view(arms, replace(QUESTION, complete=False)).differences[0].verdict == "pending"


def test_its_tests_are_a_family_of_their_own() -> None:
    noisy: dict[Unit, list[tuple[int, float]]] = {(s,): [(1, 0.2 + s**2 / 300)] for s in range(3)}
    arms = [
        _arm("erm", [0.3], forward_backward_passes=[1.0, 1.0, 1.0]),
        *(
            replace(_arm(name, [0.2], forward_backward_passes=[1.0, 1.0, 1.0]), curves=noisy)
            for name in ("a", "b", "c")
        ),
    ]
    first = _view(arms).differences[0]
    assert first.p is not None
    assert first.p_holm == pytest.approx(3 * first.p)


def test_an_arm_that_can_not_pay_one_epoch_has_nothing() -> None:
    view = _view([
        _arm("erm", [0.1], forward_backward_passes=[1, 1, 1]),
        _arm("slow", [0.1], forward_backward_passes=[9, 9, 9]),
    ])  # fmt: skip
    assert (view.arms[1].epoch, view.arms[1].n, view.arms[1].mean) == (None, 0, None)
    assert (view.differences[0].p, view.differences[0].verdict) == (None, "not resolved")


def test_an_arm_without_curves_or_cost_is_listed_and_not_read() -> None:
    paid = {"forward_backward_passes": [1.0, 1.0, 1.0]}
    bare = Arm("bare", {(0,): 0.1, (1,): 0.2})
    view = _view([_arm("erm", ERM, **paid), _arm("slow", SLOW, **paid), bare])
    assert [(arm.name, arm.epoch) for arm in view.arms] == [("erm", 4), ("slow", 4), ("bare", None)]
    assert view.differences[1].verdict == "not resolved"


def test_without_a_cost_of_the_baseline_there_is_no_view() -> None:
    assert analyse([_arm("erm", ERM), _arm("slow", SLOW, device_seconds=[1.0, 1.0, 1.0])], QUESTION).matched == ()


def test_both_currencies_have_a_view() -> None:
    arms = [
        _arm("erm", ERM, forward_backward_passes=[1.0, 1, 1], device_seconds=[5.0, 5, 5]),
        _arm("slow", SLOW, forward_backward_passes=[1.0, 1, 1], device_seconds=[10.0, 10, 10]),
    ]
    found = analyse(arms, QUESTION).matched
    assert [(view.by, view.arms[1].epoch) for view in found] == [("forward_backward_passes", 4), ("device_seconds", 2)]


def test_epochs_that_were_not_measured_are_passed_over() -> None:
    sparse: dict[Unit, list[tuple[int, float]]] = {(s,): [(2, 0.2 + s / 100), (4, 0.1 + s / 100)] for s in range(3)}
    slow = replace(_arm("slow", SLOW, forward_backward_passes=[4.0, 4, 4]), curves=sparse)
    view = _view([_arm("erm", ERM, forward_backward_passes=[3.0, 3, 3]), slow])
    assert view.arms[1].epoch == 2  # 3 could be paid
