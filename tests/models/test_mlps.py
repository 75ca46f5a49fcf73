from typing import Literal

import pytest
import torch
from torch import Tensor

from mmix.models.bottleneck_mlp import bottleneck_mlp
from mmix.models.mlp import mlp
from mmix.models.staged import Staged
from tests.models.conftest import Recorder, samples

Activation = Literal["relu", "leaky_relu"]
activations = pytest.mark.parametrize("activation", ["relu", "leaky_relu"])


def active(x: Tensor, activation: Activation) -> Tensor:
    return x.clamp(min=0) if activation == "relu" else torch.where(x > 0, x, 0.01 * x)


def linear(net: Staged, name: str, x: Tensor) -> Tensor:
    weights: dict[str, Tensor] = net.state_dict()
    return x @ weights[f"{name}.weight"].T + weights[f"{name}.bias"]


@activations
def test_an_mlp_is_its_formula(activation: Activation) -> None:
    net, x = mlp(inputs=6, hidden=(5, 4), classes=3, activation=activation), samples(6)
    first = active(linear(net, "stages.0.1", x), activation)
    second = active(linear(net, "stages.1.0", first), activation)
    torch.testing.assert_close(net(x), linear(net, "head", second))
    assert torch.equal(net(x.reshape(5, 1, 2, 3)), net(x))


@activations
@pytest.mark.parametrize("norm", [False, True])
def test_a_bottleneck_is_linear_and_normalised_where_asked(norm: bool, activation: Activation) -> None:
    net = bottleneck_mlp(inputs=6, before=(8, 7), width=2, after=(9,), classes=3, activation=activation, norm=norm)
    x, recorder = samples(6), Recorder()
    logits = net(x, recorder)
    second = active(linear(net, "stages.1.0", active(linear(net, "stages.0.1", x), activation)), activation)
    bottleneck = linear(net, "stages.2.0", second)
    if norm:
        bottleneck = (bottleneck - bottleneck.mean(0)) / (bottleneck.var(0, correction=0) + 1e-5).sqrt()
    torch.testing.assert_close(recorder.shown[3][1], bottleneck)
    after = active(linear(net, "stages.3.0", bottleneck), activation)
    torch.testing.assert_close(logits, linear(net, "head", after))
