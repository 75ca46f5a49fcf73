import numpy as np
import pytest
import torch
from torch import Tensor

from mmix.mixing.blend import Blend
from mmix.mixing.confmix import ConfMixing, Pending
from mmix.mixing.draw import generator
from mmix.mixing.plan import Plan
from mmix.mixing.tables import Tables

CONFMIX = ConfMixing(layers=(0, 2), warmup_epochs=3, scale=1.0, classes=10, confidence="step")


def pending(count: int, *, scale: float = 1.0, epoch: int = 3) -> Pending:
    (draw,) = ConfMixing((0,), 3, scale, 10, "step").epoch(Tables(1, epoch, (count,)))
    assert isinstance(draw, Pending)
    return draw


def lams(draw: Pending, alpha: Tensor) -> Tensor:
    state = draw.plan(alpha).state
    assert isinstance(state, Blend)
    return state.lam


def test_warm_up_is_plain_training() -> None:
    draws = CONFMIX.epoch(Tables(0, 2, (6, 6)))
    assert [isinstance(draw, Plan) and draw.layers == () for draw in draws] == [True, True]
    assert all(isinstance(draw, Pending) for draw in CONFMIX.epoch(Tables(0, 3, (6, 6))))


def test_alpha_is_0_at_a_guess_and_1_at_certainty() -> None:
    confidence = torch.tensor([0.1, 0.1 - 2e-8, 0.28, 0.55, 1.0, 1.0 + 3e-7])
    alpha = pending(6).alpha(confidence)
    torch.testing.assert_close(alpha, torch.tensor([0, 0, 0.2, 0.5, 1, 1]))
    assert (alpha.min().item(), alpha.max().item()) == (0, 1)


@pytest.mark.parametrize("scale", [1.0, 0.5])
@pytest.mark.parametrize("alpha", [0.01, 0.2, 1.0])
def test_lambda_has_the_moments_of_its_distribution(alpha: float, scale: float) -> None:
    lam = lams(pending(20_000, scale=scale), torch.full((20_000,), alpha)).double()
    # five standard errors: the deviation of lambda is at most 1/2, that of its square at most 1/4
    assert lam.mean().item() == pytest.approx(0.5, abs=5 * 0.5 / 20_000**0.5)
    assert lam.var().item() == pytest.approx(1 / (4 * (2 * alpha * scale + 1)), abs=5 * 0.25 / 20_000**0.5)


@pytest.mark.parametrize("alpha", [0.0, 9e-5])
def test_without_confidence_lambda_is_1(alpha: float) -> None:
    assert (lams(pending(100), torch.full((100,), alpha)) == 1).all()


@pytest.mark.parametrize("alpha", [1e-4, 2e-4, 1e-3])
def test_small_alphas_give_numbers(alpha: float) -> None:
    lam = lams(pending(2000), torch.full((2000,), alpha))
    assert ((lam >= 0) & (lam <= 1)).all()


def test_a_lambda_depends_on_its_own_samples_confidence_alone() -> None:
    alpha = torch.linspace(0, 1, 50)
    changed = alpha.clone()
    changed[7] = 0.9
    same = lams(pending(50), alpha) == lams(pending(50), changed)
    assert same.tolist() == [number != 7 for number in range(50)]


def test_a_confidence_that_is_no_number_shows_in_lambda() -> None:
    lam = lams(pending(3), torch.tensor([0.5, np.nan, 0.5]))
    assert lam.isnan().tolist() == [False, True, False]


def test_the_numbers_behind_lambdas_are_a_table_of_the_epoch() -> None:
    expected = generator(seed=1, purpose="lam", epoch=4).random(20)
    assert np.array_equal(pending(20, epoch=4).uniform, expected)


def test_each_batch_has_numbers_of_its_own() -> None:
    first, second = (draw for draw in CONFMIX.epoch(Tables(0, 3, (6, 6))) if isinstance(draw, Pending))
    assert not np.isin(first.uniform, second.uniform).any()
    again, _ = (draw for draw in CONFMIX.epoch(Tables(0, 3, (6, 6))) if isinstance(draw, Pending))
    assert np.array_equal(first.uniform, again.uniform)
