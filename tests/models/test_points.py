import pytest
import torch
from torch import nn

from mmix.errors import SpecError
from mmix.models.build import build
from mmix.models.carriers import carriers
from mmix.models.hooked import Hooked
from mmix.models.points import Module, modules, points
from mmix.spec.model import BottleneckMlp, Convnet, Gru, Mlp, Model, PreActResNet, Torchvision, last_point
from mmix.torchvision_import import torchvision
from tests.models.conftest import IDS, MODELS, Recorder, network, samples

RESNET18 = Torchvision(kind="torchvision", name="resnet18")


@pytest.mark.parametrize("model", MODELS, ids=IDS)
def test_the_points_are_those_that_a_training_passes(model: Model) -> None:
    recorder = Recorder()
    network(model)(samples(1, 8, 8), recorder)
    found = points(model, shape=(1, 8, 8), classes=7)
    assert [point.number for point in found] == list(range(last_point(model) + 1))
    assert [point.shape for point in found] == [tuple(x.shape[1:]) for _, x in recorder.shown]


@pytest.mark.parametrize(
    ("model", "names"),
    [
        (Mlp(kind="mlp", hidden=(4, 5)), ["hidden layer 1", "hidden layer 2"]),
        (
            BottleneckMlp(kind="bottleneck_mlp", before=(4, 5), after=(6,)),
            ["hidden layer 1", "hidden layer 2", "bottleneck", "hidden layer 3"],
        ),
        (Convnet(kind="convnet"), ["conv 32", "conv 64, flattened", "FC 64"]),
        (PreActResNet(kind="preact_resnet"), ["stem and group 1", "group 2", "group 3", "group 4"]),
        (Gru(kind="gru", layers=3), ["layers.0", "layers.1", "last"]),
        (Torchvision(kind="torchvision", name="vgg11_bn", points=("features.3", "avgpool")), ["features.3", "avgpool"]),
    ],
    ids=lambda value: getattr(value, "kind", ""),
)
def test_the_points_have_names_for_people(model: Model, names: list[str]) -> None:
    assert [point.name for point in points(model, shape=(3, 32, 32), classes=10)] == ["input", *names]


def test_a_network_that_cannot_be_built_has_no_points() -> None:
    with pytest.raises(SpecError, match="4 x 4 pixels"):
        points(Convnet(kind="convnet"), shape=(3, 2, 2), classes=10)


def test_what_model_points_may_name_is_what_a_build_accepts() -> None:
    allowed = {module.name for module in modules(RESNET18, shape=(3, 32, 32), classes=10)}
    with torch.device("meta"):
        every = [name for name, _ in torchvision("models").resnet18().named_modules() if name]
    names = [name for name in every if "." not in name or name.startswith("layer2")]
    assert accepted(names) == [name for name in names if name in allowed]
    assert allowed <= set(every)
    assert allowed >= {"conv1", "bn1", "relu", "maxpool", "layer1", "layer4.1", "avgpool", "fc"}
    assert not allowed & {"layer1.0.conv1", "layer1.0.bn2", "layer1.0.relu", "layer2.0.downsample"}


def accepted(names: list[str]) -> list[str]:
    found = []
    for name in names:
        try:
            with torch.device("meta"):
                build(RESNET18.model_copy(update={"points": (name,)}), shape=(3, 32, 32), classes=10, seed=0)
            found.append(name)
        except SpecError:
            continue
    return found


def test_the_modules_come_with_the_shapes_of_their_outputs() -> None:
    found = modules(RESNET18, shape=(3, 64, 64), classes=10)
    assert {Module("maxpool", (64, 16, 16)), Module("layer3", (256, 4, 4)), Module("fc", (10,))} <= set(found)


class Branching(nn.Module):
    """trunk -> left + right -> joint, which a shortcut from the input goes around where `around`."""

    def __init__(self, *, around: bool) -> None:
        super().__init__()
        self.trunk, self.left, self.right, self.joint = (nn.Linear(4, 4) for _ in range(4))
        self.relu, self.head, self.around = nn.ReLU(inplace=True), nn.Linear(4, 2), around

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        trunk = self.relu(self.trunk(x))
        joint = self.joint(self.left(trunk) + self.right(trunk))
        logits: torch.Tensor = self.head(joint + x if self.around else joint)
        return logits


@pytest.mark.parametrize(
    ("around", "expected"), [(False, {"trunk", "relu", "joint", "head"}), (True, {"head"})], ids=["straight", "around"]
)
def test_a_carrier_is_what_no_path_goes_around(around: bool, expected: set[str]) -> None:
    with torch.device("meta"):
        net = Branching(around=around)
    assert set(carriers(net, shape=(4,))) == expected


@pytest.mark.parametrize(
    ("name", "points"),
    [("densenet121", 26), ("mobilenet_v2", 102), ("convnext_tiny", 40), ("vgg11_bn", 39), ("resnet50", 26)],
)
def test_every_carrier_can_halve_the_batch(name: str, points: int) -> None:
    with torch.device("meta"):
        allowed = carriers(getattr(torchvision("models"), name)(), shape=(3, 32, 32))
        net = Hooked(getattr(torchvision("models"), name)(num_classes=10), list(allowed)).eval()
    assert len(allowed) == points
    reached = _Shrinking(len(allowed))
    with torch.no_grad():
        answer = net(torch.zeros(len(allowed) + 2, 3, 32, 32, device="meta"), reached)
    assert answer.shape == (2, 10)


class _Shrinking:
    """Drops a sample at every point: where a path goes around one, shapes no longer fit."""

    last_point_used = 0

    def __init__(self, points: int) -> None:
        self.left = points

    def at(self, point: int, x: torch.Tensor) -> torch.Tensor:
        return x[:-1] if point else x
