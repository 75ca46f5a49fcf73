import time
import tracemalloc

import numpy as np
import pytest

from mmix.comparison.bootstrap import RESAMPLES, Bootstrap, over_seeds, over_seeds_and_images
from mmix.comparison.sample import Interval


def _interval(found: Bootstrap | None) -> Interval:
    assert found is not None
    return found.interval


def test_fewer_than_two_seeds_and_equal_ones_have_no_interval() -> None:
    assert over_seeds(np.array([])) is None
    assert over_seeds(np.array([0.1])) is None
    assert over_seeds(np.full(5, 0.25)) is None
    assert over_seeds_and_images(np.ones((1, 100))) is None


def test_it_says_what_was_drawn_again() -> None:
    table = np.random.default_rng(0).normal(size=(5, 50))
    seeds, both = over_seeds(table.mean(axis=1)), over_seeds_and_images(table)
    assert seeds is not None
    assert both is not None
    assert (seeds.over, seeds.resamples) == ("seeds", RESAMPLES)
    assert (both.over, both.resamples) == ("seeds and test images", RESAMPLES)


def test_the_same_values_give_the_same_interval() -> None:
    table = np.random.default_rng(0).normal(size=(5, 50))
    assert over_seeds_and_images(table) == over_seeds_and_images(table.copy())


def test_a_shift_shifts_it() -> None:
    table = np.random.default_rng(0).normal(size=(7, 60))
    low, high = _interval(over_seeds_and_images(table))
    assert _interval(over_seeds_and_images(table + 3)) == pytest.approx((low + 3, high + 3), rel=1e-9)


def test_exchanged_arms_turn_it_round() -> None:
    difference = np.random.default_rng(0).exponential(size=8)
    low, high = _interval(over_seeds(difference))
    assert _interval(over_seeds(-difference)) == pytest.approx((-high, -low), rel=1e-9)


def test_over_many_normal_differences_it_is_students() -> None:
    difference = np.random.default_rng(1).normal(size=60)
    half = 2.001 * difference.std(ddof=1) / 60**0.5  # t of 59 degrees
    low, high = _interval(over_seeds(difference))
    assert (difference.mean() - low, high - difference.mean()) == pytest.approx((half, half), rel=0.08)


@pytest.mark.parametrize("n", [5, 10])
def test_over_seeds_it_covers_the_truth_as_often_as_it_says(n: int) -> None:
    draw = np.random.default_rng(2026)
    found = [_interval(over_seeds(draw.normal(size=n))) for _ in range(500)]
    assert sum(low <= 0 <= high for low, high in found) / 500 == pytest.approx(0.95, abs=0.03)  # 3 standard errors


# The spread of what seeds, images and each pair of both do; 40 images.
@pytest.mark.parametrize(("of_seeds", "of_images", "of_both"), [(0.0, 0.0, 1.0), (0.1, 0.5, 1.0), (0.02, 1.0, 0.1)])
def test_over_seeds_and_images_it_covers_the_truth_as_often_as_it_says(
    of_seeds: float, of_images: float, of_both: float
) -> None:
    draw = np.random.default_rng(2026)
    shapes = [(200, 10, 1), (200, 1, 40), (200, 10, 40)]
    parts = [
        draw.normal(scale=scale, size=shape)
        for scale, shape in zip((of_seeds, of_images, of_both), shapes, strict=True)
    ]
    tables = parts[0] + parts[1] + parts[2]
    found = [_interval(over_seeds_and_images(table)) for table in tables]
    assert sum(low <= 0 <= high for low, high in found) / 200 == pytest.approx(0.955, abs=0.04)


def test_seeds_alone_miss_what_the_choice_of_images_does() -> None:
    draw = np.random.default_rng(2026)
    tables = [draw.normal(size=(1, 200)) + 0.1 * draw.normal(size=(10, 200)) for _ in range(100)]
    found = [_interval(over_seeds(table.mean(axis=1))) for table in tables]
    assert sum(low <= 0 <= high for low, high in found) < 30


def test_ten_seeds_on_ten_thousand_images_take_seconds_and_little_memory() -> None:
    table = np.random.default_rng(0).normal(size=(10, 10_000))
    start = time.process_time()
    tracemalloc.start()
    over_seeds_and_images(table)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert time.process_time() - start < 10
    assert peak < 100e6


def test_images_that_all_seeds_find_alike_hard_widen_it_and_others_do_not() -> None:
    draw = np.random.default_rng(5)
    table = draw.normal(size=(10, 2_000))
    alone, both = _interval(over_seeds(table.mean(axis=1))), _interval(over_seeds_and_images(table))
    assert both[1] - both[0] == pytest.approx(alone[1] - alone[0], rel=0.1)
    hard = table + draw.normal(size=(1, 2_000))  # of the mean: 1 / 2,000, where seeds come to 1 / 20,000
    wide = _interval(over_seeds_and_images(hard))
    assert wide[1] - wide[0] == pytest.approx(2 * 1.96 * (11 / 20_000) ** 0.5, rel=0.1)


def test_equal_images_count_as_often_as_they_are_there() -> None:
    draw = np.random.default_rng(6)
    errors = np.tile((draw.random(500) < 0.1).astype(float), (4, 1)) + (draw.random((4, 1)) < 0.5) / 1000
    distinct = errors + 1e-9 * draw.random(500)
    found, expected = _interval(over_seeds_and_images(errors)), _interval(over_seeds_and_images(distinct))
    assert found[1] - found[0] == pytest.approx(expected[1] - expected[0], rel=0.06)
