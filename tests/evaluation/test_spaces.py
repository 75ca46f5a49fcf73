import math

import pytest
import torch
from torch import nn

from mmix.data.dataset import Dataset, Split, Statistics
from mmix.data.digits import digits
from mmix.evaluation.spaces import answers, boundary_measures, box_entropy, scatter
from mmix.evaluation.states import narrowest, states, widths
from mmix.models.build import Network, build
from mmix.models.hooked import Hooked
from mmix.models.staged import Staged
from mmix.spec.model import BottleneckMlp, Convnet, Mlp

DIGITS = digits()
LINE = Split(x=torch.tensor([[-1.0, 0.0], [-1.0, 1.0], [1.0, 0.0], [1.0, 1.0]]), y=torch.tensor([0, 0, 1, 1]))
PLANE = Dataset("plane", LINE, LINE, ("left", "right"), Statistics(mean=torch.zeros(2), std=torch.ones(2)), checksum="")
NETWORKS: dict[str, Network] = {
    "mlp": build(Mlp(kind="mlp", hidden=(6, 3)), shape=(1, 8, 8), classes=10, seed=0),
    "convnet": build(Convnet(kind="convnet"), shape=(1, 8, 8), classes=10, seed=0),
    "hooked": Hooked(nn.Sequential(nn.Flatten(), nn.Linear(64, 3), nn.ReLU(), nn.Linear(3, 10)), ["1", "2"]),
}


def sure(weight: float) -> Staged:
    """A network in the plane whose second logit is `weight` times the first coordinate."""
    head = nn.Linear(2, 2)
    head.weight.data = torch.tensor([[0.0, 0.0], [weight, 0.0]])
    head.bias.data.zero_()
    return Staged([nn.Identity()], head)


def bottleneck(width: int) -> Network:
    model = BottleneckMlp(kind="bottleneck_mlp", before=(8,), width=width, after=(8,))
    return build(model, shape=(1, 8, 8), classes=10, seed=0)


def test_the_share_between_classes_computed_by_hand() -> None:
    found = scatter(torch.tensor([[0.0], [2.0], [4.0], [6.0]]), torch.tensor([0, 0, 3, 3]))
    assert found == pytest.approx(16 / 20)
    assert scatter(torch.tensor([[1.0], [1.0], [5.0]]), torch.tensor([0, 0, 1])) == pytest.approx(1)
    assert scatter(torch.ones(4, 2), torch.tensor([0, 0, 1, 1])) is None


@pytest.mark.parametrize("name", NETWORKS)
def test_what_follows_a_point_answers_to_states_as_the_network_does(name: str) -> None:
    net = NETWORKS[name]
    with torch.no_grad():
        expected = net.eval()((DIGITS.test.x / 255 - DIGITS.statistics.mean) / DIGITS.statistics.std)
    for point in widths(net, shape=DIGITS.shape):
        found, _ = states(net, DIGITS.test, DIGITS.statistics, point=point)
        torch.testing.assert_close(answers(net, DIGITS, found, point=point), expected)


def test_an_undecided_network_has_the_largest_entropy_everywhere() -> None:
    net = bottleneck(2)
    assert isinstance(net, Staged)
    for parameter in net.head.parameters():
        parameter.data.zero_()
    assert box_entropy(net, DIGITS, point=2) == pytest.approx(math.log(10))


def test_the_entropy_is_that_of_points_between_the_states() -> None:
    # Between -1 and 1 the first coordinate is uniform: the mean entropy of sigmoid(weight * it), integrated.
    share = torch.sigmoid(3.0 * torch.linspace(-1, 1, 100_001, dtype=torch.float64))
    expected = (torch.special.entr(share) + torch.special.entr(1 - share)).mean().item()
    assert box_entropy(sure(3.0), PLANE, point=1) == pytest.approx(expected, abs=0.01)


@pytest.mark.parametrize(("width", "there"), [(1, True), (3, True), (4, False)])
def test_boxes_of_more_than_three_dimensions_are_not_looked_at(width: int, there: bool) -> None:
    net = bottleneck(width)
    point = narrowest(net, shape=DIGITS.shape)
    assert point == 2
    assert (box_entropy(net, DIGITS, point=point) is not None) is there


def test_the_margin_is_the_way_to_another_decision() -> None:
    pitch = 2.4 / 99  # of the grid, from -1.2 to 1.2
    found = boundary_measures(sure(5.0), PLANE)
    assert found["boundary_margin"] == pytest.approx(1, abs=pitch)
    turned = boundary_measures(sure(-5.0), PLANE)  # all labels are wrong: the other decision is where they are
    assert turned["boundary_margin"] == pytest.approx(0, abs=pitch)
    assert found["boundary_entropy"] == pytest.approx(turned["boundary_entropy"])
    assert boundary_measures(sure(50.0), PLANE)["boundary_entropy"] < found["boundary_entropy"] < math.log(2)


def test_a_single_decision_has_no_margin() -> None:
    assert boundary_measures(sure(0.0), PLANE) == {"boundary_entropy": pytest.approx(math.log(2))}
