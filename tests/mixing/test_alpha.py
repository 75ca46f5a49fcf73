import pytest

from mmix.mixing.alpha import value
from mmix.spec.part import Falling, Linear, Rising


@pytest.mark.parametrize("half_life", [1, 7, 25])
def test_schedules_are_at_one_half_after_the_half_life(half_life: int) -> None:
    assert value(Rising(kind="rising", half_life=half_life), epoch=half_life, epochs=50) == 0.5
    assert value(Falling(kind="falling", half_life=half_life), epoch=half_life, epochs=50) == 0.5


def test_rising_starts_at_0_and_never_reaches_1() -> None:
    alphas = [value(Rising(kind="rising", half_life=25.0), epoch=epoch, epochs=50) for epoch in range(51)]
    assert (alphas[0], alphas[50]) == (0, 0.75)
    assert alphas == sorted(alphas)


def test_falling_is_one_minus_rising() -> None:
    rising, falling = Rising(kind="rising", half_life=7.0), Falling(kind="falling", half_life=7.0)
    sums = [value(rising, epoch=epoch, epochs=50) + value(falling, epoch=epoch, epochs=50) for epoch in range(50)]
    assert sums == pytest.approx([1] * 50)


def test_linear_goes_from_start_in_the_first_epoch_to_end_in_the_last() -> None:
    schedule = Linear(kind="linear", start=0.0, end=2.0)
    assert [value(schedule, epoch=epoch, epochs=5) for epoch in range(5)] == [0, 0.5, 1, 1.5, 2]
    assert value(schedule, epoch=0, epochs=1) == 0


def test_a_constant_stays() -> None:
    assert {value(0.3, epoch=epoch, epochs=9) for epoch in range(9)} == {0.3}
