"""The classification networks of torchvision, with weights of our own drawing."""

from difflib import get_close_matches
from typing import Any, assert_never

import torch
from torch import Tensor, nn

from mmix.errors import SpecError
from mmix.models.carriers import carriers
from mmix.models.dry_run import dry_run
from mmix.models.hooked import Hooked
from mmix.spec.model import Torchvision
from mmix.torchvision_import import torchvision

SMALLEST = {"vgg11_bn": 32, "densenet121": 29, "convnext_tiny": 32}
"""Pixels a side that leave at least one where a network has halved them most often; the others take any image."""


def torchvision_network(model: Torchvision, *, shape: tuple[int, int, int], classes: int) -> Hooked:
    """The network of this name, mixed at its input and after the modules in `model.points`. shape: (C, H, W).

    A grey image enters as three equal channels, as these networks read colour.
    Differs: dropout (vgg11_bn 0.5, mobilenet_v2 0.2) and stochastic depth (convnext_tiny up to 0.1) are off. They draw
        from a stream that a resumed run can't find again, and are regularisers besides the one that is compared.

    Raises: SpecError where images don't fit the network, or a module in `model.points` can't be a mix point.
    """
    _check_images(model, shape)
    if model.points:
        _check_points(model, shape)
    return _network(model, channels=shape[0], classes=classes)


def _network(model: Torchvision, *, channels: int, classes: int) -> Hooked:
    network: nn.Module = getattr(torchvision("models"), model.name)(
        weights=None, num_classes=classes, **_without(model)
    )
    if channels == 1:
        network.register_forward_pre_hook(_colour)
    return Hooked(network, points=model.points)


def _without(model: Torchvision) -> dict[str, Any]:
    """What turns off all that draws random numbers in training."""
    match model.name:
        case "vgg11_bn" | "mobilenet_v2":
            return {"dropout": 0.0}
        case "convnext_tiny":
            return {"stochastic_depth_prob": 0.0}
        case "resnet18" | "resnet34" | "resnet50" | "densenet121":
            return {}
        case _:
            assert_never(model.name)


def _colour(network: nn.Module, inputs: tuple[Tensor]) -> Tensor:
    return inputs[0].expand(-1, 3, -1, -1)


def _check_images(model: Torchvision, shape: tuple[int, int, int]) -> None:
    channels, height, width = shape
    if channels not in (1, 3):
        raise SpecError(
            "model.kind is 'torchvision', whose networks read images of 1 or 3 channels; "
            f"this data set's have {channels}: choose 'preact_resnet'"
        )
    smallest = SMALLEST.get(model.name, 1)
    if min(height, width) < smallest:
        raise SpecError(
            f"model.name is {model.name!r}, which needs images of at least {smallest} x {smallest} pixels; "
            f"this data set's are {height} x {width}: choose 'resnet18', 'resnet34', 'resnet50' or 'mobilenet_v2'"
        )


def _check_points(model: Torchvision, shape: tuple[int, int, int]) -> None:
    with torch.device("meta"):  # shapes without numbers: milliseconds, whatever the size
        network = _network(model, channels=shape[0], classes=2)
    dry_run(network, shape=shape)
    allowed = carriers(network.module, shape=shape)
    for name in model.points:
        if name not in allowed:
            raise SpecError(
                f"model.points names {name!r}, beside which a shortcut takes a part of the state on unmixed; "
                f"allowed: {', '.join(get_close_matches(name, allowed, n=6, cutoff=0))} or another of the "
                f"{len(allowed)} modules that `mmix model points torchvision --name {model.name}` lists"
            )
