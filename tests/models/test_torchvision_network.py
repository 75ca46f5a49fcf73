from typing import Any, get_args

import pytest
import torch
from pydantic import ValidationError
from torch import nn

from mmix.errors import SpecError
from mmix.models.build import build
from mmix.models.hooked import Hooked
from mmix.models.torchvision_network import SMALLEST
from mmix.spec.experiment import ExperimentSpec
from mmix.spec.model import Torchvision
from mmix.spec.problems import problems, sentence
from mmix.torchvision_import import torchvision
from tests.conftest import make_spec
from tests.models.conftest import samples

NAMES = get_args(Torchvision.model_fields["name"].annotation)
every_name = pytest.mark.parametrize("name", NAMES)


def model(name: str, *points: str) -> Torchvision:
    return Torchvision.model_validate({"kind": "torchvision", "name": name, "points": points})


def weightless(asked: Torchvision, *shape: int) -> nn.Module:
    """The network, without drawing a weight."""
    with torch.device("meta"):
        return build(asked, shape=shape, classes=10, seed=0)


@every_name
def test_a_network_has_a_head_of_as_many_classes_as_the_data(name: str) -> None:
    assert weightless(model(name), 3, 32, 32)(torch.zeros(2, 3, 32, 32, device="meta")).shape == (2, 10)


@every_name
def test_no_network_draws_random_numbers_in_training(name: str) -> None:
    rates = [module.p for module in weightless(model(name), 3, 32, 32).modules() if hasattr(module, "p")]
    assert not any(rates)


@every_name
def test_images_too_small_for_a_network_are_refused_and_no_others(name: str) -> None:
    smallest = SMALLEST.get(name, 1)
    weightless(model(name), 3, smallest, smallest)(torch.zeros(2, 3, smallest, smallest, device="meta"))
    if smallest == 1:
        return
    with torch.device("meta"):
        bare = getattr(torchvision("models"), name)()
    with pytest.raises(RuntimeError, match="size"):
        bare(torch.zeros(2, 3, smallest - 1, smallest - 1, device="meta"))
    allowed = (
        rf"model\.name is '{name}'.*at least {smallest} x {smallest}.*{smallest} x {smallest - 1}: choose 'resnet18'"
    )
    with pytest.raises(SpecError, match=allowed):
        build(model(name), shape=(3, smallest, smallest - 1), classes=10, seed=0)


def test_a_grey_image_enters_as_three_equal_channels() -> None:
    net, x = build(model("resnet18"), shape=(1, 8, 8), classes=10, seed=0).eval(), samples(1, 8, 8)
    assert isinstance(net, Hooked)
    bare = torchvision("models").resnet18(num_classes=10).eval()
    bare.load_state_dict(net.module.state_dict())
    torch.testing.assert_close(net(x), bare(x.repeat(1, 3, 1, 1)), rtol=1e-5, atol=1e-6)


def test_images_of_other_channels_are_refused() -> None:
    with pytest.raises(SpecError, match=r"model\.kind is 'torchvision'.*1 or 3 channels.*have 4: choose"):
        build(model("resnet18"), shape=(4, 32, 32), classes=10, seed=0)


@pytest.mark.parametrize(
    ("points", "message"),
    [
        (["layer5"], r"model\.points names 'layer5', which the network doesn't have; allowed: layer4"),
        (["layer1", "layer1"], r"model\.points names 'layer1' twice"),
        (["layer1.0.relu"], r"model\.points names 'layer1\.0\.relu', which one forward pass calls more than once"),
        (["layer1", "layer1.0.conv1"], r"model\.points names 'layer1\.0\.conv1', beside which a shortcut.*layer1\.0"),
    ],
)
def test_points_that_do_not_carry_the_state_are_refused_before_a_weight_is_drawn(
    points: list[str], message: str
) -> None:
    with pytest.raises(SpecError, match=message):
        build(model("resnet18", *points), shape=(3, 32, 32), classes=10, seed=0)


def test_layers_beyond_the_points_are_refused_by_the_spec() -> None:
    document: dict[str, Any] = make_spec(mixing={"kind": "manifold_mixup", "alpha": 2.0, "layers": [1]}).model_dump()
    document["model"] = {"kind": "torchvision", "name": "resnet18", "points": ["layer1"]}
    document["mixing"]["layers"] = [0, 2]
    with pytest.raises(ValidationError) as caught:
        ExperimentSpec.model_validate(document)
    (problem,) = problems(caught.value.errors(), document)
    assert sentence(problem).startswith("mixing.layers: torchvision has mix points 0 to 1; 2 lies outside")
    assert problem["allowed"] == "0 to 1"
