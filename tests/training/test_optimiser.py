import pytest
import torch
from torch import nn

from mmix.spec.optimisation import Adam, Cosine, Sgd, Step
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


def test_adam_takes_the_steps_that_its_spec_describes() -> None:
    weight = nn.Parameter(torch.tensor([2.0], dtype=torch.float64))
    chosen = optimiser(Adam(kind="adam", lr=0.1, beta1=0.5, beta2=0.9, eps=0.2, weight_decay=0.01), [weight])
    set_rate(chosen, 0.2)
    first = 3 + 0.01 * 2  # after one step both bias-corrected means are the gradient's own
    expected = 2 - 0.2 * first / (first + 0.2)
    second = -1 + 0.01 * expected
    mean = (0.25 * first + 0.5 * second) / 0.75
    square = (0.09 * first**2 + 0.1 * second**2) / 0.19
    expected -= 0.2 * mean / (square**0.5 + 0.2)
    for gradient in (3.0, -1.0):
        weight.grad = torch.tensor([gradient], dtype=torch.float64)
        chosen.step()
    assert weight.item() == pytest.approx(expected)
