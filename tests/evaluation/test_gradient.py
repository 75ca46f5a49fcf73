import math

import pytest
import torch
from torch import nn

from mmix.data.dataset import Split, Statistics
from mmix.evaluation.gradient import gradient_norms

PLANE = Statistics(mean=torch.zeros(2), std=torch.ones(2))


def linear(weight: list[list[float]]) -> nn.Module:
    net = nn.Linear(2, 2, bias=False)
    net.weight.data = torch.tensor(weight)
    return net


def test_the_norm_is_that_of_the_gradient_written_out() -> None:
    x, y = torch.tensor([[0.0, 0.0], [0.3, -0.2]]), torch.tensor([0, 1])
    weight = torch.tensor([[1.0, 2.0], [-3.0, 0.5]])
    found = gradient_norms(linear(weight.tolist()), Split(x=x, y=y), PLANE)
    by_hand = ((x @ weight.T).softmax(1) - torch.eye(2)[y]) @ weight  # (softmax - one-hot) W
    torch.testing.assert_close(found, by_hand.norm(dim=1).double())


def test_the_norm_is_per_raw_unit_whatever_the_normalisation() -> None:
    split = Split(x=torch.zeros(1, 2), y=torch.tensor([0]))
    halved = Statistics(mean=torch.zeros(2), std=torch.full((2,), 2.0))
    nets = linear([[1.0, 0.0], [0.0, 0.0]]), linear([[2.0, 0.0], [0.0, 0.0]])
    torch.testing.assert_close(gradient_norms(nets[0], split, PLANE), gradient_norms(nets[1], split, halved))


@pytest.mark.parametrize(("margin", "zero"), [(10.0, False), (200.0, True)])
def test_only_a_gradient_without_any_value_counts_as_zero(margin: float, zero: bool) -> None:
    net = linear([[0.0, 0.0], [-margin, 0.0]])  # at x = (1, 0) the other class has probability exp(-margin)
    (found,) = gradient_norms(net, Split(x=torch.tensor([[1.0, 0.0]]), y=torch.tensor([0])), PLANE).tolist()
    assert (found == 0) is zero
    assert found == 0 or found == pytest.approx(margin * math.exp(-margin), rel=1e-3)
