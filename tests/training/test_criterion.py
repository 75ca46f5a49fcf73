from typing import Literal, get_args

import pytest
import torch
from torch import nn

from mmix.mixing.plan import Plan
from mmix.spec.optimisation import Training
from mmix.training.criterion import criterion

Loss = Literal["ce", "bce"]
PARTNER = torch.tensor([3, 5, 1, 0, 4, 2])
LABELS = torch.tensor([0, 1, 2, 3, 0, 1])


def test_every_loss_is_tested_here() -> None:
    assert get_args(Training.model_fields["loss"].annotation) == get_args(Loss)


def mixed_labels(lam: torch.Tensor) -> torch.Tensor:
    label = nn.functional.one_hot(LABELS, 4).float()
    weight = lam.reshape(-1, 1)
    return weight * label + (1 - weight) * label[PARTNER]


@pytest.mark.parametrize("lam", [torch.tensor(0.3), torch.linspace(0, 1, 6)])
def test_bce_is_torchs_bceloss_of_softmax_and_the_mixed_label(lam: torch.Tensor) -> None:
    logits = torch.randn(6, 4, requires_grad=True)
    found = Plan(0, lam, PARTNER).loss(criterion("bce"), logits, LABELS)
    expected = nn.BCELoss()(logits.softmax(1), mixed_labels(lam))
    torch.testing.assert_close(found, expected)
    gradients = [torch.autograd.grad(loss, logits, retain_graph=True)[0] for loss in (found, expected)]
    torch.testing.assert_close(gradients[0], gradients[1])


@pytest.mark.parametrize("lam", [torch.tensor(0.3), torch.linspace(0, 1, 6)])
def test_ce_is_torchs_cross_entropy_at_the_mixed_label(lam: torch.Tensor) -> None:
    logits = torch.randn(6, 4)
    found = Plan(0, lam, PARTNER).loss(criterion("ce"), logits, LABELS)
    torch.testing.assert_close(found, nn.functional.cross_entropy(logits, mixed_labels(lam)))


@pytest.mark.parametrize("loss", get_args(Loss))
def test_losses_are_float32_for_each_sample(loss: Loss) -> None:
    found = criterion(loss)(torch.randn(6, 4, dtype=torch.bfloat16), LABELS)
    assert (found.dtype, found.shape) == (torch.float32, (6,))


@pytest.mark.parametrize("loss", get_args(Loss))
def test_certain_and_wrong_is_finite(loss: Loss) -> None:
    logits = torch.tensor([[1000.0, 0.0], [0.0, 1000.0]], requires_grad=True)
    found = criterion(loss)(logits, torch.tensor([1, 0])).mean()
    (gradient,) = torch.autograd.grad(found, logits)
    assert found.isfinite()
    assert gradient.isfinite().all()
