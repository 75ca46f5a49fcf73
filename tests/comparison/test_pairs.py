from mmix.comparison.pairs import pair
from mmix.comparison.question import Unit


def test_pairs_are_the_shared_units_in_their_order() -> None:
    arm: dict[Unit, float] = {(seed,): seed / 10 for seed in (907, 12, 5, 33, 101, 64, 7, 2)}
    baseline: dict[Unit, float] = {(seed,): seed / 20 for seed in (2, 12, 7, 33, 907, 64, 101, 8)}
    found = pair(arm, baseline)
    assert found.units == ((2,), (7,), (12,), (33,), (64,), (101,), (907,))
    assert found.arm.tolist() == [0.2, 0.7, 1.2, 3.3, 6.4, 10.1, 90.7]
    assert found.baseline.tolist() == [0.1, 0.35, 0.6, 1.65, 3.2, 5.05, 45.35]
