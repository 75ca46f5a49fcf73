"""From a model's spec to the network with its initial weights."""

import math
from typing import assert_never

import torch

from mmix.errors import SpecError
from mmix.mixing.draw import torch_seed
from mmix.models.bottleneck_mlp import bottleneck_mlp
from mmix.models.convnet import convnet
from mmix.models.gru import gru
from mmix.models.hooked import Hooked
from mmix.models.mlp import mlp
from mmix.models.preact_resnet import preact_resnet
from mmix.models.staged import Staged
from mmix.models.torchvision_network import torchvision_network
from mmix.models.wide_resnet import wide_resnet
from mmix.spec.model import BottleneckMlp, Convnet, Gru, Mlp, Model, PreActResNet, Torchvision, WideResNet

Network = Staged | Hooked


def build(model: Model, *, shape: tuple[int, ...], classes: int, seed: int) -> Network:
    """The network for samples of this shape, (C, H, W) or (D,). Its weights depend on nothing but the arguments.

    All methods of one seed start from identical weights, whatever they draw later; torch's global generator
    is left as it was. Weights are drawn by torch's and torchvision's defaults, as in the authors' code.

    Raises: SpecError where the network can't read such samples, or a named module can't be a mix point.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(torch_seed(seed=seed, purpose="init"))
        network = _network(model, shape, classes)
    # 1.2 to 1.3 times as many images a second on one CPU thread (convnet, PreActResNet18 of width 16).
    return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]


def _network(model: Model, shape: tuple[int, ...], classes: int) -> Network:
    match model:
        case Mlp():
            inputs = math.prod(shape)
            return mlp(inputs=inputs, hidden=model.hidden, activation=model.activation, classes=classes)
        case BottleneckMlp():
            return bottleneck_mlp(
                inputs=math.prod(shape),
                before=model.before,
                width=model.width,
                after=model.after,
                activation=model.activation,
                norm=model.norm,
                classes=classes,
            )
        case Convnet():
            return convnet(shape=_image(model, shape), classes=classes)
        case PreActResNet():
            return preact_resnet(
                depth=model.depth,
                width=model.width,
                channels=_image(model, shape)[0],
                classes=classes,
                stem_stride=model.stem_stride,
                final_norm=model.final_norm,
            )
        case WideResNet():
            channels = _image(model, shape)[0]
            return wide_resnet(depth=model.depth, widen=model.widen, channels=channels, classes=classes)
        case Gru():
            return gru(shape=_image(model, shape), hidden=model.hidden, layers=model.layers, classes=classes)
        case Torchvision():
            return torchvision_network(model, shape=_image(model, shape), classes=classes)
        case _:
            assert_never(model)


def _image(model: Model, shape: tuple[int, ...]) -> tuple[int, int, int]:
    """Raises: SpecError where the samples are no images."""
    if len(shape) != 3:
        raise SpecError(
            f"model.kind is {model.kind!r}, which reads images; this data set's samples have the shape {shape}: "
            "choose 'mlp' or 'bottleneck_mlp'"
        )
    channels, height, width = shape
    return channels, height, width
