import pytest
import torch
from torch import Tensor, nn

from mmix.mixing.blend import blend
from mmix.mixing.plan import Plan

ALONE = torch.arange(6)
PARTNER = torch.tensor([3, 5, 1, 0, 4, 2])
LAMBDAS = [torch.tensor(0.3), torch.linspace(0, 1, 6)]
SHAPES = [(6, 4), (6, 3, 5, 5)]


def losses(logits: Tensor, y: Tensor) -> Tensor:
    return nn.functional.cross_entropy(logits, y, reduction="none")


@pytest.mark.parametrize("shape", SHAPES)
def test_lambda_one_is_the_identity(shape: tuple[int, ...]) -> None:
    x = torch.randn(shape)
    assert torch.equal(blend(x, lam=torch.tensor(1.0), partner=PARTNER), x)
    assert torch.equal(blend(x, lam=torch.ones(6), partner=PARTNER), x)


@pytest.mark.parametrize("lam", LAMBDAS)
@pytest.mark.parametrize("shape", SHAPES)
def test_a_sample_mixed_with_itself_stays(shape: tuple[int, ...], lam: Tensor) -> None:
    x = torch.randn(shape)
    # w * x + (1 - w) * x rounds twice: exact up to the last bits of float32
    torch.testing.assert_close(blend(x, lam=lam, partner=ALONE), x, rtol=3e-7, atol=3e-7)


@pytest.mark.parametrize("lam", LAMBDAS)
@pytest.mark.parametrize("shape", SHAPES)
def test_each_sample_is_weighed_against_its_partner(shape: tuple[int, ...], lam: Tensor) -> None:
    x = torch.randn(shape)
    mixed = blend(x, lam=lam, partner=PARTNER)
    for row, weight in enumerate(lam.expand(6)):
        torch.testing.assert_close(mixed[row], weight * x[row] + (1 - weight) * x[PARTNER[row]])


@pytest.mark.parametrize("lam", LAMBDAS)
def test_mixing_keeps_dtype_and_memory_format(lam: Tensor) -> None:
    x = torch.randn(6, 3, 5, 5, dtype=torch.bfloat16).to(memory_format=torch.channels_last)
    mixed = blend(x, lam=lam, partner=PARTNER)
    assert mixed.dtype == torch.bfloat16
    assert mixed.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("lam", LAMBDAS)
def test_the_loss_of_pairs_is_the_loss_at_the_mixed_label(lam: Tensor) -> None:
    logits, y = torch.randn(6, 4, dtype=torch.float64), torch.tensor([0, 1, 2, 3, 0, 1])
    label = nn.functional.one_hot(y, 4).double()
    soft = blend(label, lam=lam.double(), partner=PARTNER)
    expected = nn.functional.cross_entropy(logits, soft)
    assert Plan(0, lam.double(), PARTNER).loss(losses, logits, y).item() == pytest.approx(expected.item())


@pytest.mark.parametrize("lam", LAMBDAS)
def test_the_gradient_flows_through_both_branches(lam: Tensor) -> None:
    x = torch.randn(6, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: blend(x, lam=lam.double(), partner=PARTNER), (x,))
    (gradient,) = torch.autograd.grad(blend(x, lam=lam.double(), partner=PARTNER)[0].sum(), x)
    weight = lam.double().expand(6)[0].item()
    assert gradient[0].tolist() == pytest.approx([weight] * 4)
    assert gradient[3].tolist() == pytest.approx([1 - weight] * 4)


def test_accuracy_counts_the_label_mass_that_was_hit() -> None:
    plan = Plan(0, torch.tensor([0.75, 0.75]), torch.tensor([1, 0]))
    y = torch.tensor([0, 1])
    both_right, both_partner = torch.tensor([[9.0, 0, 0], [0, 9, 0]]), torch.tensor([[0.0, 9, 0], [9, 0, 0]])
    assert plan.accuracy(both_right, y).item() == pytest.approx(0.75)
    assert plan.accuracy(both_partner, y).item() == pytest.approx(0.25)
    assert plan.accuracy(torch.tensor([[0.0, 0, 9], [0, 0, 9]]), y).item() == 0
