from typing import get_args

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from mmix.errors import SpecError
from mmix.mixing.blend import blend
from mmix.mixing.plan import Plan
from mmix.models.build import build
from mmix.models.preact_resnet import Block, preact_resnet
from mmix.models.staged import Staged
from mmix.spec.model import Convnet, Mlp, Model, PreActResNet, last_point

MODELS: tuple[Model, ...] = (
    Mlp(kind="mlp", hidden=(16, 12)),
    Convnet(kind="convnet"),
    PreActResNet(kind="preact_resnet", width=4),
)
SHAPES = [(1, 8, 8), (3, 8, 8), (1, 32, 32), (3, 32, 32)]
PARTNER = torch.tensor([1, 2, 3, 4, 0])


def network(model: Model, shape: tuple[int, int, int] = (1, 8, 8), seed: int = 0) -> Staged:
    return build(model, shape=shape, classes=7, seed=seed)


def test_every_model_is_tested_here() -> None:
    assert {type(model) for model in MODELS} == set(get_args(get_args(Model)[0]))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("model", MODELS)
def test_a_model_takes_images_of_any_common_shape(model: Model, shape: tuple[int, int, int]) -> None:
    assert network(model, shape)(torch.randn(5, *shape)).shape == (5, 7)


@pytest.mark.parametrize("model", MODELS)
def test_the_network_has_the_mix_points_that_its_spec_says(model: Model) -> None:
    assert network(model).last_point == last_point(model)


@pytest.mark.parametrize("model", MODELS)
def test_weights_depend_on_the_seed_alone(model: Model) -> None:
    torch.manual_seed(0)
    first = network(model).state_dict()
    torch.randn(10)
    second, other = network(model).state_dict(), network(model, seed=1).state_dict()
    assert all(torch.equal(first[name], second[name]) for name in first)
    weights = [name for name in first if name.endswith("weight") and first[name].dim() > 1]
    assert weights
    assert not any(torch.equal(first[name], other[name]) for name in weights)


@pytest.mark.parametrize("model", MODELS)
def test_building_leaves_the_global_generator_alone(model: Model) -> None:
    torch.manual_seed(0)
    before = torch.get_rng_state()
    network(model)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("model", MODELS)
def test_mixing_at_point_0_is_mixing_the_input(model: Model) -> None:
    net, x = network(model).eval(), torch.randn(5, 1, 8, 8)
    plan = Plan(0, torch.tensor(0.3), PARTNER)
    assert torch.equal(net(x, plan), net(blend(x, lam=plan.lam, partner=PARTNER)))


@pytest.mark.parametrize("model", MODELS)
def test_mixing_at_the_last_point_is_mixing_what_the_head_sees(model: Model) -> None:
    net, x = network(model).eval(), torch.randn(5, 1, 8, 8)
    plan = Plan(net.last_point, torch.tensor(0.3), PARTNER)
    # the head is linear (after linear pooling), so its outputs are mixed alike; float32 sums differ in the last bits
    torch.testing.assert_close(net(x, plan), plan(net(x)), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("model", MODELS)
def test_the_gradient_reaches_the_input_through_both_branches_from_every_point(model: Model) -> None:
    for layer in range(last_point(model) + 1):
        net, x = network(model).eval(), torch.randn(5, 1, 8, 8, requires_grad=True)
        logits = net(x, Plan(layer, torch.tensor(0.4), PARTNER))
        (gradient,) = torch.autograd.grad(logits[0].square().sum(), x)
        reached = gradient.flatten(1).abs().sum(1) > 0
        assert reached.tolist() == [True, True, False, False, False]


@pytest.mark.parametrize("model", MODELS)
def test_without_a_plan_nothing_is_mixed(model: Model) -> None:
    net, x = network(model).eval(), torch.randn(5, 1, 8, 8)
    torch.testing.assert_close(net(x)[0], net(x[:1])[0], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("model", MODELS)
def test_a_layer_outside_the_network_is_a_bug(model: Model) -> None:
    with pytest.raises(AssertionError, match="outside"):
        network(model)(torch.randn(5, 1, 8, 8), Plan(9, torch.tensor(0.5), PARTNER))


def test_images_too_small_for_the_convnet_are_refused() -> None:
    with pytest.raises(SpecError, match=r"model\.kind is 'convnet'.*4 x 4.*3 x 8"):
        network(Convnet(kind="convnet"), (3, 3, 8))
    assert network(Convnet(kind="convnet"), (3, 4, 4))(torch.randn(2, 3, 4, 4)).shape == (2, 7)


def parameters_of_preact_resnet18(*, width: int, channels: int, classes: int) -> int:
    """By hand: convolutions without biases, two numbers a channel for each BN, no final BN."""
    count, inputs = channels * width * 9, width
    for group in range(4):
        outputs = width * 2**group
        first = 2 * inputs + 9 * inputs * outputs + 2 * outputs + 9 * outputs * outputs
        second = 2 * outputs + 9 * outputs * outputs + 2 * outputs + 9 * outputs * outputs
        count += first + second + (inputs * outputs if group else 0)
        inputs = outputs
    return count + inputs * classes + classes


def test_preact_resnet18_has_the_parameters_of_the_authors_network() -> None:
    net = preact_resnet(depth=18, width=64, channels=3, classes=10)
    count = sum(parameter.numel() for parameter in net.parameters())
    assert count == parameters_of_preact_resnet18(width=64, channels=3, classes=10) == 11_171_146


def test_preact_resnet18_halves_the_image_at_the_authors_groups() -> None:
    net, x = network(PreActResNet(kind="preact_resnet", width=4), (3, 32, 32)), torch.randn(2, 3, 32, 32)
    shapes = []
    for stage in net.stages:
        x = stage(x)
        shapes.append(tuple(x.shape[1:]))
    assert shapes == [(4, 32, 32), (8, 16, 16), (16, 8, 8), (32, 4, 4)]
    assert x.min() < 0  # the raw sum: no BN and no ReLU after the last group


def test_mixing_anywhere_in_a_linear_network_mixes_its_outputs() -> None:
    stages = [torch.nn.Linear(6, 8, bias=False).double(), torch.nn.Linear(8, 5, bias=False).double()]
    net, x = Staged(stages, torch.nn.Linear(5, 3).double()), torch.randn(5, 6, dtype=torch.float64)
    for layer in range(3):
        plan = Plan(layer, torch.rand(5, dtype=torch.float64), PARTNER)
        torch.testing.assert_close(net(x, plan), plan(net(x)))


def block_by_hand(x: Tensor, weights: dict[str, Tensor], stride: int) -> Tensor:
    """BN, ReLU, conv, BN, ReLU, conv, and the 1 x 1 shortcut on the activated input, from the bare weights."""
    active = normed(x, weights, "norm1").relu()
    inner = F.conv2d(active, weights["conv1.weight"], stride=stride, padding=1)
    residual = F.conv2d(normed(inner, weights, "norm2").relu(), weights["conv2.weight"], padding=1)
    shortcut = weights.get("shortcut.weight")
    return residual + (x if shortcut is None else F.conv2d(active, shortcut, stride=stride))


def normed(x: Tensor, weights: dict[str, Tensor], name: str) -> Tensor:
    mean, variance = x.mean((0, 2, 3), keepdim=True), x.var((0, 2, 3), correction=0, keepdim=True)
    scale, shift = (weights[f"{name}.{part}"][None, :, None, None] for part in ("weight", "bias"))
    return (x - mean) / (variance + 1e-5).sqrt() * scale + shift


@pytest.mark.parametrize(("inputs", "outputs", "stride"), [(4, 4, 1), (4, 8, 2), (4, 8, 1)])
def test_a_block_is_the_authors_block(inputs: int, outputs: int, stride: int) -> None:
    block, x = Block(inputs, outputs, stride).double(), torch.randn(3, inputs, 6, 6, dtype=torch.float64)
    for parameter in block.parameters():
        torch.nn.init.normal_(parameter)
    torch.testing.assert_close(block(x), block_by_hand(x, block.state_dict(), stride))
