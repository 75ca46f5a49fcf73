import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from mmix.comparison import Analysis, Arm, Question, Unit, analyse
from mmix.errors import DataBroken, SpecError

QUESTION = Question(
    metric="error", baseline="erm", higher_is_better=False, smallest_difference=0.002, complete=True
)  # fmt: skip
ERM = [0.050, 0.052, 0.049, 0.051, 0.053]
MIXED = [0.045, 0.046, 0.046, 0.047, 0.047]  # differences -5, -6, -3, -4, -6 in thousandths
NOISY = [0.049, 0.055, 0.047, 0.050, 0.054]  # -1, +3, -2, -1, +1


def _arm(name: str, values: list[float], **parts: object) -> Arm:
    return Arm(name, {(seed,): value for seed, value in enumerate(values)}, **parts)  # type: ignore[arg-type]


def _three(question: Question = QUESTION) -> Analysis:
    return analyse([_arm("erm", ERM), _arm("mixed", MIXED), _arm("noisy", NOISY)], question)


def test_differences_are_arm_minus_baseline_and_holm_gives_the_verdicts() -> None:
    mixed, noisy = _three().differences
    p_mixed, p_noisy = stats.ttest_rel(MIXED, ERM).pvalue, stats.ttest_rel(NOISY, ERM).pvalue
    assert mixed.mean == pytest.approx(-0.0048)
    assert (mixed.p, noisy.p) == pytest.approx((p_mixed, p_noisy))
    assert (mixed.p_holm, noisy.p_holm) == pytest.approx((2 * p_mixed, p_noisy))
    assert (mixed.verdict, noisy.verdict) == ("better", "not resolved")


def test_more_is_better_where_the_metric_says_so() -> None:
    mixed, _ = _three(replace(QUESTION, metric="accuracy", higher_is_better=True)).differences
    assert mixed.verdict == "worse"


def test_an_arm_that_holm_does_not_pass_is_not_resolved_though_its_own_p_is_small() -> None:
    others = [_arm(f"other {number}", NOISY) for number in range(60)]
    mixed = analyse([_arm("erm", ERM), _arm("mixed", MIXED), *others], QUESTION).differences[0]
    assert (mixed.p or 1) < 0.05 < (mixed.p_holm or 0)
    assert mixed.verdict == "not resolved"


def test_before_all_runs_have_ended_there_is_no_verdict() -> None:
    assert [each.verdict for each in _three(replace(QUESTION, complete=False)).differences] == ["pending", "pending"]


def test_the_baseline_need_not_come_first() -> None:
    turned = analyse([_arm("mixed", MIXED), _arm("erm", ERM)], QUESTION)
    assert [each.arm for each in turned.differences] == ["mixed"]
    assert turned.differences == analyse([_arm("erm", ERM), _arm("mixed", MIXED)], QUESTION).differences


def test_power_speaks_of_the_difference_that_was_declared() -> None:
    mixed, _ = _three().differences
    assert mixed.power is not None
    assert (mixed.power.difference, mixed.power.level) == (0.002, 0.025)
    # std of the differences .0013: 2 / 1.3 of it, at n = 5 and level .025, by the noncentral t of scipy
    degrees, shift, critical = 4, 0.002 / (mixed.std or 0) * 5**0.5, stats.t.ppf(1 - 0.0125, 4)
    assert mixed.power.power == pytest.approx(stats.nct.sf(critical, degrees, shift), abs=1e-5)
    assert any("pairs see the smallest difference with power" in note for note in mixed.notes)


def test_without_a_declared_difference_there_is_no_power() -> None:
    assert [each.power for each in _three(replace(QUESTION, smallest_difference=None)).differences] == [None, None]


def test_five_seeds_are_told_that_the_sign_flip_test_can_not_resolve() -> None:
    mixed, _ = _three().differences
    assert mixed.sign_flip is not None
    assert mixed.sign_flip.attainable == 0.0625
    assert "the sign-flip test can't reach 0.05 here: its smallest p is 0.0625" in mixed.notes


def test_a_difference_that_is_resolved_and_too_small_to_matter_is_called_so() -> None:
    mixed, _ = _three(replace(QUESTION, smallest_difference=0.01)).differences
    assert mixed.verdict == "better"
    assert "resolved, but smaller than the smallest difference that was said to matter" in mixed.notes


def test_a_verdict_that_the_sign_flip_test_alone_would_not_give_says_so() -> None:
    # 6 differences, five of one sign: 4 of the 64 flips are as far, .0625; t = .8 / (.49 / sqrt 6) = 4.0, p = .01
    mixed = _arm("mixed", [0.04, 0.04, 0.04, 0.04, 0.04, 0.052])
    found = analyse([_arm("erm", [0.05] * 6), mixed], QUESTION).differences[0]
    assert found.verdict == "better"
    assert "the sign-flip test alone would not resolve it: p is 0.0625" in found.notes


def test_pairing_that_bought_nothing_is_told() -> None:
    note = "pairing bought nothing here: the arms don't rise and fall together"
    along, against = _arm("along", [0.041, 0.043, 0.0402]), _arm("against", [0.043, 0.041, 0.044])
    found = analyse([_arm("erm", [0.050, 0.052, 0.049]), along, against], QUESTION).differences
    assert [note in each.notes for each in found] == [False, True]


def test_only_units_of_both_arms_count_and_the_others_are_told() -> None:
    mixed = Arm("mixed", {(0,): 0.045, (1,): 0.046, (7,): 0.9})
    found = analyse([Arm("erm", {(0,): 0.050, (1,): 0.052, (2,): 0.049}), mixed], QUESTION)
    assert (found.differences[0].n, found.differences[0].mean) == pytest.approx((2, -0.0055))
    assert found.arms[1].n == 3
    assert [(each.arm, each.units, each.why) for each in found.left_out] == [
        ("mixed", 1, "the baseline 'erm' has no value for them"),
        ("mixed", 1, "only the baseline 'erm' has a value for them"),
    ]


@pytest.mark.parametrize(
    ("values", "n", "note"),
    [
        ([], 0, "no unit has a value in both arms"),
        ([0.04], 1, "one pair doesn't tell how much differences scatter: at least two are needed"),
        ([0.04, 0.042, 0.039], 3, "all differences are equal: nothing tells how much they scatter"),
    ],
)
def test_too_little_is_not_resolved_and_says_why(values: list[float], n: int, note: str) -> None:
    found = analyse([_arm("erm", ERM), _arm("mixed", values)], QUESTION).differences[0]
    assert (found.n, found.p, found.p_holm, found.interval, found.verdict) == (n, None, None, None, "not resolved")
    assert note in found.notes


def test_arms_without_a_value_are_listed_all_the_same() -> None:
    found = analyse([_arm("erm", []), _arm("mixed", [])], QUESTION)
    assert [(arm.n, arm.mean, arm.std, arm.interval) for arm in found.arms] == [(0, None, None, None)] * 2
    json.dumps(found.document(), allow_nan=False)


def test_a_baseline_alone_has_nothing_to_differ_from() -> None:
    found = analyse([_arm("erm", ERM)], QUESTION)
    assert (found.differences, found.matched, found.left_out) == ((), (), ())


def test_a_network_of_a_run_is_paired_by_its_realisation() -> None:
    arms = [
        Arm(name, {(3, place): value + 0.001 * place**2 * sign for place, value in enumerate(ERM)})
        for name, sign in (("erm", 0), ("mixed", 1))
    ]
    found = analyse(arms, QUESTION).differences[0]
    assert (found.n, found.mean) == pytest.approx((5, 0.006))
    assert not any("not independent" in note for note in found.notes)


def test_seeds_that_share_their_realisations_are_called_dependent() -> None:
    units = [(seed, place) for seed in (0, 1) for place in (0, 1)]
    arms = [
        Arm("erm", dict(zip(units, ERM, strict=False))),
        Arm("mixed", dict(zip(units, MIXED, strict=False))),
    ]
    assert any("not independent" in note for note in analyse(arms, QUESTION).differences[0].notes)


def test_selections_stand_beside_last_with_their_gap() -> None:
    best: dict[str, dict[Unit, float]] = {"best_on_test": {(0,): 0.048, (1,): 0.050}}
    found = analyse([_arm("erm", [0.050, 0.051, 0.060], selections=best)], QUESTION).arms[0].selections
    # -.002 and -.001: the third has no best
    assert found["last"].n == 3
    assert json.loads(json.dumps(_three().document()))["arms"][0]["selections"]["last"].keys() == {"n", "mean", "std"}
    assert (found["best_on_test"].n, found["best_on_test"].mean) == pytest.approx((2, 0.049))
    assert getattr(found["best_on_test"], "gap") == pytest.approx(-0.0015)  # noqa: B009 `last` has none


def test_costs_are_means_over_units() -> None:
    cost: dict[str, dict[Unit, float]] = {"epochs": {(0,): 5, (1,): 5}, "device_seconds": {(0,): 10, (1,): 14}}
    found = analyse([_arm("erm", [0.050, 0.051], cost=cost)], QUESTION).arms[0]
    assert found.cost == {"epochs": 5, "device_seconds": 12}


IMAGES = np.random.default_rng(0).random((2, 4, 300)) < 0.2


def _imaged(name: str, table: np.ndarray[tuple[int, ...], np.dtype[np.bool]], **changes: object) -> Arm:
    units = [(seed,) for seed in range(len(table))]
    arm = Arm(
        name,
        {unit: float(row.mean()) for unit, row in zip(units, table, strict=True)},
        images={unit: row.astype(np.float64) for unit, row in zip(units, table, strict=True)},
    )
    return replace(arm, **changes)  # type: ignore[arg-type]


def test_the_bootstrap_is_over_images_too_where_all_pairs_have_them() -> None:
    found = analyse([_imaged("erm", IMAGES[0]), _imaged("mixed", IMAGES[1])], QUESTION).differences[0]
    assert found.bootstrap is not None
    assert found.bootstrap.over == "seeds and test images"
    low, high = found.bootstrap.interval
    assert low < (found.mean or 0) < high


def test_realisations_have_no_test_images_in_common() -> None:
    arms = [_imaged("erm", IMAGES[0]), _imaged("mixed", IMAGES[1])]
    apart = [
        Arm(arm.name, {(0, *unit): value for unit, value in arm.values.items()}, images=images)
        for arm in arms
        for images in [{(0, *unit): row for unit, row in arm.images.items()}]
    ]
    found = analyse(apart, QUESTION).differences[0]
    assert found.bootstrap is not None
    assert found.bootstrap.over == "seeds"


@pytest.mark.parametrize(
    "changes",
    [
        {"images": {(0,): IMAGES[1, 0].astype(np.float64)}},  # of one seed only
        {"images": {(seed,): np.zeros(7) for seed in range(4)}},  # of other images
        {"images": {(seed,): np.zeros(300) for seed in range(4)}},  # of another metric
        {"images": {}},
    ],
)
def test_images_that_do_not_fit_are_left_aside_and_that_is_told(changes: dict[str, object]) -> None:
    found = analyse([_imaged("erm", IMAGES[0]), _imaged("mixed", IMAGES[1], **changes)], QUESTION).differences[0]
    assert found.bootstrap is not None
    assert found.bootstrap.over == "seeds"
    assert any("the bootstrap is over seeds alone" in note for note in found.notes)


NAN = float("nan")


@pytest.mark.parametrize(
    "arm",
    [
        _arm("mixed", [0.04, NAN]),
        _arm("mixed", [0.04, float("inf")]),
        _arm("mixed", [0.04], selections={"best_on_test": {(0,): NAN}}),
        _arm("mixed", [0.04], cost={"epochs": {(0,): NAN}}),
        _arm("mixed", [0.04], images={(0,): np.array([0.0, NAN])}),
        _arm("mixed", [0.04], curves={(0,): [(1, 0.1), (2, NAN)]}),
    ],
)
def test_what_is_no_number_is_refused_by_name(arm: Arm) -> None:
    with pytest.raises(DataBroken, match=r"of arm 'mixed', unit \(\d,\), is (nan|inf)|arm 'mixed', unit"):
        analyse([_arm("erm", ERM), arm], QUESTION)


@pytest.mark.parametrize(
    ("names", "changes", "message"),
    [
        (["mixed"], {}, "baseline is 'erm', but the arms are 'mixed'"),
        ([], {}, "baseline is 'erm', but the arms are none"),
        (["erm", "a", "a"], {}, "two arms are called 'a'"),
        (["erm"], {"smallest_difference": 0.0}, "smallest_difference is 0.0"),
        (["erm"], {"smallest_difference": NAN}, "smallest_difference is nan"),
    ],
)
def test_a_question_that_fits_no_arms_is_refused(names: list[str], changes: dict[str, object], message: str) -> None:
    with pytest.raises(SpecError, match=message):
        analyse([_arm(name, ERM) for name in names], replace(QUESTION, **changes))  # type: ignore[arg-type]


def test_the_document_has_the_fields_that_others_read() -> None:
    cost = {"forward_backward_passes": {(seed,): 10.0 for seed in range(5)}}
    curves = {(seed,): [(1, 0.06), (2, 0.05)] for seed in range(5)}
    arms = [_arm("erm", ERM, cost=cost, curves=curves), _arm("mixed", MIXED, cost=cost, curves=curves)]
    document = json.loads(json.dumps(analyse(arms, QUESTION).document(), allow_nan=False))
    assert list(document) == [
        "metric", "higher_is_better", "baseline", "smallest_difference", "complete", "level", "arms", "differences",
        "matched", "left_out",
    ]  # fmt: skip
    assert list(document["arms"][0]) == ["name", "n", "mean", "std", "interval", "selections", "cost"]
    difference, matched = document["differences"][0], document["matched"][0]
    assert list(difference) == [
        "arm", "n", "mean", "std", "interval", "t", "p", "p_holm", "verdict", "sign_flip", "bootstrap", "correlation",
        "std_unpaired", "gain", "power", "notes",
    ]  # fmt: skip
    assert list(difference["sign_flip"]) == ["p", "attainable", "flips", "exact"]
    assert list(difference["bootstrap"]) == ["interval", "over", "resamples"]
    assert list(difference["power"]) == ["difference", "power", "n_for_80_percent", "level"]
    assert list(matched) == ["by", "budget", "arms", "differences"]
    assert list(matched["arms"][0]) == ["name", "epoch", "n", "mean", "std"]
    assert list(matched["differences"][0]) == ["arm", "n", "mean", "interval", "p", "p_holm", "verdict"]
    assert isinstance(document["arms"][0]["interval"], list)


@settings(max_examples=25, deadline=None)
@given(order=st.permutations(range(5)))
def test_the_order_in_which_units_come_changes_not_a_bit(order: list[int]) -> None:
    arms = [
        Arm(arm.name, {(seed,): arm.values[(seed,)] for seed in order}) for arm in (_arm("erm", ERM), _arm("a", MIXED))
    ]
    assert analyse(arms, QUESTION) == analyse([_arm("erm", ERM), _arm("a", MIXED)], QUESTION)
