import pytest
import torch
from torch import nn

from mmix.spec.optimisation import Cosine, Sgd, Step
from mmix.training.optimiser import optimiser, rate, set_rate


def test_a_step_schedule_multiplies_at_its_milestones() -> None:
    schedule = Step(kind="step", milestones=(2, 4), factor=0.1)
    rates = [rate(schedule, lr=1.0, epoch=epoch, epochs=6) for epoch in range(6)]
    assert rates == pytest.approx([1, 1, 0.1, 0.1, 0.01, 0.01])


def test_without_milestones_the_rate_stays() -> None:
    assert {rate(Step(kind="step"), lr=0.3, epoch=epoch, epochs=9) for epoch in range(9)} == {0.3}


def test_a_cosine_schedule_starts_at_lr_halves_in_the_middle_and_falls() -> None:
    rates = [rate(Cosine(kind="cosine"), lr=0.2, epoch=epoch, epochs=10) for epoch in range(10)]
    assert rates[0] == 0.2
    assert rates[5] == pytest.approx(0.1)
    assert rates == sorted(rates, reverse=True)
    assert rates[9] > 0


@pytest.mark.parametrize("nesterov", [False, True])
def test_sgd_takes_the_step_that_its_spec_describes(nesterov: bool) -> None:
    weight = nn.Parameter(torch.tensor([2.0]))
    spec = Sgd(kind="sgd", lr=0.1, momentum=0.5, nesterov=nesterov, weight_decay=0.01)
    chosen = optimiser(spec, [weight])
    set_rate(chosen, 0.2)
    weight.grad = torch.tensor([3.0])
    chosen.step()
    gradient = 3 + 0.01 * 2
    expected = 2 - 0.2 * (gradient + 0.5 * gradient if nesterov else gradient)
    assert weight.item() == pytest.approx(expected)
