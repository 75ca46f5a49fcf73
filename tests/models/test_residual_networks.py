"""PreActResNet and the wide ResNet against formulas of their own, from the bare weights."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mmix.models.build import build
from mmix.models.preact_resnet import preact_resnet
from mmix.models.wide_resnet import wide_resnet
from mmix.spec.model import Model, PreActResNet, WideResNet
from tests.models.conftest import Recorder, network, samples

COUNTS = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 6, 3)}
Weights = dict[str, Tensor]


class ByHand:
    """The layers as functions of the weights. Batch statistics in training, the kept ones in evaluation."""

    def __init__(self, net: nn.Module) -> None:
        self.weights: Weights = net.state_dict()
        self.training = net.training

    def conv(self, x: Tensor, name: str, stride: int = 1) -> Tensor:
        weight = self.weights[f"{name}.weight"]
        padding = weight.shape[-1] // 2
        return F.conv2d(x, weight, self.weights.get(f"{name}.bias"), stride=stride, padding=padding)

    def active(self, x: Tensor, name: str) -> Tensor:
        """BN and ReLU."""
        mean, variance = self.weights[f"{name}.running_mean"], self.weights[f"{name}.running_var"]
        if self.training:
            mean, variance = x.mean((0, 2, 3)), x.var((0, 2, 3), correction=0)
        scale, shift = self.weights[f"{name}.weight"], self.weights[f"{name}.bias"]
        mean, variance, scale, shift = (each[:, None, None] for each in (mean, variance, scale, shift))
        return ((x - mean) / (variance + 1e-5).sqrt() * scale + shift).clamp(min=0)

    def linear(self, x: Tensor, name: str) -> Tensor:
        return x @ self.weights[f"{name}.weight"].T + self.weights[f"{name}.bias"]

    def preact_block(self, x: Tensor, name: str, stride: int) -> Tensor:
        before = self.active(x, f"{name}.norm1")
        if f"{name}.conv3.weight" in self.weights:
            inner = self.conv(self.active(self.conv(before, f"{name}.conv1"), f"{name}.norm2"), f"{name}.conv2", stride)
            residual = self.conv(self.active(inner, f"{name}.norm3"), f"{name}.conv3")
        else:
            inner = self.conv(before, f"{name}.conv1", stride)
            residual = self.conv(self.active(inner, f"{name}.norm2"), f"{name}.conv2")
        changes = f"{name}.shortcut.weight" in self.weights
        return residual + (self.conv(before, f"{name}.shortcut", stride) if changes else x)

    def wide_block(self, x: Tensor, name: str, stride: int) -> Tensor:
        inner = self.conv(self.active(x, f"{name}.norm1"), f"{name}.conv1")
        residual = self.conv(self.active(inner, f"{name}.norm2"), f"{name}.conv2", stride)
        changes = f"{name}.shortcut.weight" in self.weights
        return residual + (self.conv(x, f"{name}.shortcut", stride) if changes else x)


def preact_by_hand(net: nn.Module, model: PreActResNet, x: Tensor) -> Tensor:
    hand = ByHand(net)
    x = hand.conv(x, "stages.0.0", model.stem_stride)
    for group, count in enumerate(COUNTS[model.depth]):
        for block in range(count):
            place = block + 1 if group == 0 else block
            x = hand.preact_block(x, f"stages.{group}.{place}", 2 if group and not block else 1)
    if not model.final_norm:
        return hand.linear(x.mean((2, 3)), "head.1")
    return hand.linear(hand.active(x, "head.0").mean((2, 3)), "head.3")


def wide_by_hand(net: nn.Module, model: WideResNet, x: Tensor) -> Tensor:
    hand = ByHand(net)
    x = hand.conv(x, "stages.0.0")
    for group in range(3):
        for block in range((model.depth - 4) // 6):
            place = block + 1 if group == 0 else block
            x = hand.wide_block(x, f"stages.{group}.{place}", 2 if group and not block else 1)
    return hand.linear(hand.active(x, "head.0").mean((2, 3)), "head.3")


def scramble(net: nn.Module) -> None:
    """Gives every BN scales, shifts and kept statistics that a mistake can't hide behind."""
    draw = torch.Generator().manual_seed(3)
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            size = module.num_features
            for values in (module.weight.data, module.running_var):
                assert values is not None
                values.copy_(0.5 + torch.rand(size, generator=draw))
            for values in (module.bias.data, module.running_mean):
                assert values is not None
                values.copy_(torch.randn(size, generator=draw) / 4)


def close(found: Tensor, expected: Tensor) -> None:
    tolerance = 1e-5 if found.dtype == torch.float32 else 1e-11
    torch.testing.assert_close(found, expected, rtol=0, atol=tolerance * max(1.0, expected.abs().max().item()))


# In training the last BNs divide by the spread of twenty values: in float32, two ways to sum differ by 2e-5.
modes = pytest.mark.parametrize(
    ("training", "dtype"), [(False, torch.float32), (False, torch.float64), (True, torch.float64)]
)


@modes
@pytest.mark.parametrize("final_norm", [False, True])
@pytest.mark.parametrize("depth", [18, 34, 50])
def test_preact_resnet_is_its_formula(depth: int, final_norm: bool, training: bool, dtype: torch.dtype) -> None:
    model = PreActResNet.model_validate(
        {"kind": "preact_resnet", "depth": depth, "width": 8, "final_norm": final_norm, "stem_stride": 1}
    )
    net, x = network(model, (3, 16, 16)).train(training).to(dtype), samples(3, 16, 16).to(dtype)
    scramble(net)
    expected = preact_by_hand(net, model, x)
    close(net(x), expected)


def test_preact_resnet_on_tiny_imagenet_is_its_formula() -> None:
    model = PreActResNet(kind="preact_resnet", width=4, stem_stride=2)
    net, x = network(model, (3, 64, 64)).eval(), samples(3, 64, 64)
    close(net(x), preact_by_hand(net, model, x))


@modes
@pytest.mark.parametrize(("depth", "widen"), [(10, 1), (16, 2), (28, 1)])
def test_wide_resnet_is_its_formula(depth: int, widen: int, training: bool, dtype: torch.dtype) -> None:
    model = WideResNet.model_validate({"kind": "wide_resnet", "depth": depth, "widen": widen})
    net, x = network(model, (3, 16, 16)).train(training).to(dtype), samples(3, 16, 16).to(dtype)
    scramble(net)
    expected = wide_by_hand(net, model, x)
    close(net(x), expected)


def parameters_of_preact_resnet(
    depth: int, *, width: int = 64, channels: int = 3, classes: int = 10, final_norm: bool = False
) -> int:
    """By hand: convolutions without biases, two numbers a channel for each BN."""
    expansion = 4 if depth == 50 else 1
    count, inputs = channels * width * 9, width
    for group, blocks in enumerate(COUNTS[depth]):
        inner = width * 2**group
        outputs = inner * expansion
        for _ in range(blocks):
            if expansion == 1:
                count += 2 * inputs + 9 * inputs * inner + 2 * inner + 9 * inner * inner
            else:
                count += 2 * inputs + inputs * inner + 2 * inner + 9 * inner * inner + 2 * inner + inner * outputs
            count += inputs * outputs if inputs != outputs else 0
            inputs = outputs
    return count + (2 * inputs if final_norm else 0) + inputs * classes + classes


def parameters_of_wide_resnet(depth: int, widen: int, *, channels: int = 3, classes: int = 10) -> int:
    """By hand: convolutions with biases, two numbers a channel for each BN, a last BN."""

    def convolution(inputs: int, outputs: int, side: int) -> int:
        return inputs * outputs * side * side + outputs

    count, inputs = convolution(channels, 16, 3), 16
    for outputs in (16 * widen, 32 * widen, 64 * widen):
        for _ in range((depth - 4) // 6):
            count += 2 * inputs + convolution(inputs, outputs, 3) + 2 * outputs + convolution(outputs, outputs, 3)
            count += convolution(inputs, outputs, 1) if inputs != outputs else 0
            inputs = outputs
    return count + 2 * inputs + inputs * classes + classes


def parameters_of(model: Model) -> int:
    """Of the network built, without drawing a weight."""
    with torch.device("meta"):
        net = build(model, shape=(3, 32, 32), classes=10, seed=0)
    return sum(parameter.numel() for parameter in net.parameters())


@pytest.mark.parametrize("final_norm", [False, True])
@pytest.mark.parametrize(("depth", "millions"), [(18, 11.2), (34, 21.3), (50, 23.5)])
def test_preact_resnet_has_the_parameters_of_the_authors_network(depth: int, millions: float, final_norm: bool) -> None:
    model = PreActResNet.model_validate({"kind": "preact_resnet", "depth": depth, "final_norm": final_norm})
    count = parameters_of(model)
    assert count == parameters_of_preact_resnet(depth, final_norm=final_norm)
    assert round(count / 1e6, 1) == millions


def test_preact_resnet18_has_exactly_the_parameters_that_are_reported_of_it() -> None:
    assert parameters_of(PreActResNet(kind="preact_resnet")) == 11_171_146


@pytest.mark.parametrize(
    ("depth", "widen", "millions"),
    # Zagoruyko and Komodakis (2016); the last from Oliver et al. (2018). Theirs have no biases, 10,096 of the first.
    [(28, 10, 36.5), (16, 8, 11.0), (22, 8, 17.2), (28, 2, 1.5)],
)
def test_wide_resnet_has_the_parameters_of_the_paper(depth: int, widen: int, millions: float) -> None:
    model = WideResNet.model_validate({"kind": "wide_resnet", "depth": depth, "widen": widen})
    count = parameters_of(model)
    assert count == parameters_of_wide_resnet(depth, widen)
    assert round(count / 1e6, 1) == millions


def test_preact_resnet_halves_the_image_at_the_authors_groups() -> None:
    net = preact_resnet(depth=18, width=4, channels=3, classes=10)
    x, shapes = samples(3, 32, 32), []
    for stage in net.stages:
        x = stage(x)
        shapes.append(tuple(x.shape[1:]))
    assert shapes == [(4, 32, 32), (8, 16, 16), (16, 8, 8), (32, 4, 4)]
    assert x.min() < 0  # the raw sum: no BN and no ReLU after the last group


def test_the_last_mix_point_of_a_wide_resnet_lies_before_its_last_bn() -> None:
    net, recorder = wide_resnet(depth=10, widen=1, channels=3, classes=10), Recorder()
    net(samples(3, 32, 32), recorder)
    assert [tuple(x.shape[1:]) for _, x in recorder.shown] == [(3, 32, 32), (16, 32, 32), (32, 16, 16), (64, 8, 8)]
    assert recorder.shown[-1][1].min() < 0


def test_every_bn_of_a_wide_resnet_remembers_alike() -> None:
    net = wide_resnet(depth=10, widen=1, channels=3, classes=10)
    assert {norm.momentum for norm in net.modules() if isinstance(norm, nn.BatchNorm2d)} == {0.1}
