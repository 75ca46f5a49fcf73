from typing import get_args

import pytest
import torch
from torch import Tensor, nn

from mmix.mixing.plan import Plan, blending
from mmix.spec.optimisation import Loss, Training
from mmix.training.criterion import criterion

LOSSES: tuple[Loss, ...] = ("ce", "bce", "mse")
PARTNER = torch.tensor([3, 5, 1, 0, 4, 2])
LABELS = torch.tensor([0, 1, 2, 3, 0, 1])
LAMBDAS = [torch.tensor(0.3), torch.linspace(0, 1, 6)]


def test_every_loss_is_tested_here() -> None:
    assert get_args(Training.model_fields["loss"].annotation) == LOSSES


def mixed_labels(lam: Tensor) -> Tensor:
    label = nn.functional.one_hot(LABELS, 4).float()
    weight = lam.reshape(-1, 1)
    return weight * label + (1 - weight) * label[PARTNER]


def mixed_loss(loss: Loss, logits: Tensor, lam: Tensor) -> Tensor:
    return blending(0, lam=lam, partner=PARTNER).loss(criterion(loss), logits, LABELS)


def pair_loss(loss: Loss, logits: Tensor, lam: Tensor) -> Tensor:
    label = nn.functional.one_hot(LABELS, 4).float()
    own, other = criterion(loss)(logits, label), criterion(loss)(logits, label[PARTNER])
    return (lam * own + (1 - lam) * other).mean()


@pytest.mark.parametrize("lam", LAMBDAS)
def test_bce_is_torchs_bceloss_of_softmax_and_the_mixed_label(lam: Tensor) -> None:
    logits = torch.randn(6, 4)
    torch.testing.assert_close(mixed_loss("bce", logits, lam), nn.BCELoss()(logits.softmax(1), mixed_labels(lam)))


@pytest.mark.parametrize("lam", LAMBDAS)
def test_ce_is_torchs_cross_entropy_at_the_mixed_label(lam: Tensor) -> None:
    logits = torch.randn(6, 4)
    torch.testing.assert_close(mixed_loss("ce", logits, lam), nn.functional.cross_entropy(logits, mixed_labels(lam)))


@pytest.mark.parametrize("lam", LAMBDAS)
def test_mse_is_torchs_mseloss_of_logits_and_the_mixed_label(lam: Tensor) -> None:
    logits = torch.randn(6, 4)
    torch.testing.assert_close(mixed_loss("mse", logits, lam), nn.MSELoss()(logits, mixed_labels(lam)))


@pytest.mark.parametrize("lam", LAMBDAS)
@pytest.mark.parametrize("loss", LOSSES)
def test_the_mixed_label_has_the_gradient_of_the_weighted_pair(loss: Loss, lam: Tensor) -> None:
    logits = torch.randn(6, 4, requires_grad=True)
    mixed, pair = mixed_loss(loss, logits, lam), pair_loss(loss, logits, lam)
    torch.testing.assert_close(*(torch.autograd.grad(value, logits)[0] for value in (mixed, pair)))
    # linear in the label, but for mse, where the pair's loss has a constant on top: the label's own variance
    distance = (nn.functional.one_hot(LABELS, 4) - nn.functional.one_hot(LABELS[PARTNER], 4)).float().square().mean(1)
    constant = (lam * (1 - lam) * distance).mean() if loss == "mse" else torch.tensor(0.0)
    torch.testing.assert_close(pair - mixed, constant, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("loss", LOSSES)
def test_smoothing_is_the_loss_at_the_smoothed_label(loss: Loss) -> None:
    logits, label = torch.randn(6, 4), nn.functional.one_hot(LABELS, 4).float()
    found = Plan(smoothing=0.1).loss(criterion(loss), logits, LABELS)
    torch.testing.assert_close(found, criterion(loss)(logits, 0.9 * label + 0.025).mean())


def test_ce_at_a_hard_label_is_exactly_torchs() -> None:
    logits = torch.randn(6, 4, requires_grad=True)
    found = Plan().loss(criterion("ce"), logits, LABELS)
    expected = nn.functional.cross_entropy(logits, LABELS, reduction="none").mean()
    assert torch.equal(found, expected)
    assert torch.equal(*(torch.autograd.grad(value, logits)[0] for value in (found, expected)))


@pytest.mark.parametrize("loss", LOSSES)
def test_losses_are_float32_for_each_sample(loss: Loss) -> None:
    found = criterion(loss)(torch.randn(6, 4, dtype=torch.bfloat16), mixed_labels(torch.tensor(0.3)))
    assert (found.dtype, found.shape) == (torch.float32, (6,))


@pytest.mark.parametrize("loss", LOSSES)
def test_certain_and_wrong_is_finite(loss: Loss) -> None:
    logits = torch.tensor([[1000.0, 0.0], [0.0, 1000.0]], requires_grad=True)
    found = criterion(loss)(logits, torch.eye(2).flip(0)).mean()
    (gradient,) = torch.autograd.grad(found, logits)
    assert found.isfinite()
    assert gradient.isfinite().all()
