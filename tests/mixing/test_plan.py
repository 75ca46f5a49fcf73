import pytest
import torch
from torch import Tensor, nn

from mmix.mixing.blend import blend
from mmix.mixing.plan import Plan, blending

ALONE = torch.arange(6)
PARTNER = torch.tensor([3, 5, 1, 0, 4, 2])
SECOND = torch.arange(6, 12)
LABELS = torch.tensor([0, 1, 2, 3, 0, 1])
LAMBDAS = [torch.tensor(0.3), torch.linspace(0, 1, 6)]
SHAPES = [(6, 4), (6, 3, 5, 5)]


def losses(logits: Tensor, target: Tensor) -> Tensor:
    return nn.functional.cross_entropy(logits, target.to(logits.dtype), reduction="none")


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
def test_two_batches_become_one(lam: Tensor) -> None:
    first, second = torch.randn(6, 3, 5, 5), torch.randn(6, 3, 5, 5)
    mixed = blend(torch.cat([first, second]), lam=lam, partner=SECOND)
    weight = lam.reshape(-1, 1, 1, 1)
    torch.testing.assert_close(mixed, weight * first + (1 - weight) * second)


@pytest.mark.parametrize("partner", [PARTNER, SECOND])
@pytest.mark.parametrize("lam", LAMBDAS)
def test_mixing_keeps_dtype_and_memory_format(lam: Tensor, partner: Tensor) -> None:
    x = torch.randn(12, 3, 5, 5, dtype=torch.bfloat16).to(memory_format=torch.channels_last)
    mixed = blend(x[: 1 + int(partner.max())], lam=lam, partner=partner)
    assert mixed.dtype == torch.bfloat16
    assert mixed.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("lam", LAMBDAS)
def test_the_loss_at_the_mixed_label_is_the_weighted_loss_of_the_pair(lam: Tensor) -> None:
    logits = torch.randn(6, 4, dtype=torch.float64)
    own, other = (nn.functional.cross_entropy(logits, y, reduction="none") for y in (LABELS, LABELS[PARTNER]))
    found = blending(0, lam=lam.double(), partner=PARTNER).loss(losses, logits, LABELS)
    # labels are float32
    assert found.item() == pytest.approx((lam * own + (1 - lam) * other).mean().item(), rel=1e-6)


@pytest.mark.parametrize("lam", LAMBDAS)
def test_the_labels_of_two_batches_are_mixed_too(lam: Tensor) -> None:
    logits, y = torch.randn(6, 4), torch.cat([LABELS, LABELS[PARTNER]])
    two, one = blending(0, lam=lam, partner=SECOND), blending(0, lam=lam, partner=PARTNER)
    assert torch.equal(two.loss(losses, logits, y), one.loss(losses, logits, LABELS))
    assert torch.equal(two.accuracy(logits, y), one.accuracy(logits, LABELS))


@pytest.mark.parametrize("lam", LAMBDAS)
def test_the_gradient_flows_through_both_branches(lam: Tensor) -> None:
    x = torch.randn(6, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: blend(x, lam=lam.double(), partner=PARTNER), (x,))
    (gradient,) = torch.autograd.grad(blend(x, lam=lam.double(), partner=PARTNER)[0].sum(), x)
    weight = lam.double().expand(6)[0].item()
    assert gradient[0].tolist() == pytest.approx([weight] * 4)
    assert gradient[3].tolist() == pytest.approx([1 - weight] * 4)


def test_a_plan_acts_at_its_layers_alone() -> None:
    x = torch.randn(6, 4)
    plan = blending(1, 3, lam=torch.tensor(0.3), partner=PARTNER)
    assert [plan.at(point, x) is x for point in range(5)] == [True, False, True, False, True]
    assert (plan.last_point_used, Plan().last_point_used) == (3, 0)


def test_a_plan_can_not_be_changed() -> None:
    with pytest.raises(AttributeError):
        Plan().layers = (1,)  # type: ignore[misc]


def test_without_anything_to_do_a_plan_is_plain_training() -> None:
    x, logits = torch.randn(6, 4), torch.randn(6, 4)
    assert Plan().at(0, x) is x
    expected = nn.functional.cross_entropy(logits, LABELS, reduction="none").mean()
    assert torch.equal(Plan().loss(losses, logits, LABELS), expected)
    assert Plan().accuracy(logits, LABELS) == (logits.argmax(1) == LABELS).float().mean()


def test_a_stopped_gradient_stops_at_the_deepest_layer_and_the_value_stays() -> None:
    x = torch.randn(6, 4, requires_grad=True)
    stopped, free = (
        blending(1, 2, lam=torch.tensor(0.3), partner=PARTNER, stop_gradient=stop) for stop in (True, False)
    )
    assert [stopped.at(point, x).requires_grad for point in range(4)] == [True, True, False, True]
    assert torch.equal(stopped.at(2, x), free.at(2, x))


def test_smoothing_moves_label_mass_evenly_to_all_classes() -> None:
    logits = torch.randn(6, 4)
    found = Plan(smoothing=0.2).loss(losses, logits, LABELS)
    torch.testing.assert_close(found, nn.functional.cross_entropy(logits, LABELS, label_smoothing=0.2))


def test_accuracy_counts_the_label_mass_that_was_hit() -> None:
    plan = blending(0, lam=torch.tensor([0.75, 0.75]), partner=torch.tensor([1, 0]))
    y = torch.tensor([0, 1])
    both_right, both_partner = torch.tensor([[9.0, 0, 0], [0, 9, 0]]), torch.tensor([[0.0, 9, 0], [9, 0, 0]])
    assert plan.accuracy(both_right, y).item() == pytest.approx(0.75)
    assert plan.accuracy(both_partner, y).item() == pytest.approx(0.25)
    assert plan.accuracy(torch.tensor([[0.0, 0, 9], [0, 0, 9]]), y).item() == 0
    assert Plan(smoothing=0.5).accuracy(both_right, y).item() == 1


def test_labels_are_mixed_as_often_as_states() -> None:
    lam, x = torch.linspace(0, 1, 6), torch.randn(6, 4)
    plan = blending(0, 2, lam=lam, partner=PARTNER)
    twice = blend(blend(x, lam=lam, partner=PARTNER), lam=lam, partner=PARTNER)
    assert torch.equal(plan.label(x), twice)
    assert torch.equal(plan.at(2, plan.at(1, plan.at(0, x))), twice)
