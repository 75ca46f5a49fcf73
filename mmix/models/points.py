"""Where a network can be mixed, and the shapes of its states there."""

from typing import NamedTuple

import torch

from mmix.models.build import Network, build
from mmix.models.carriers import carriers
from mmix.models.dry_run import dry_run
from mmix.models.hooked import Hooked
from mmix.spec.model import Model, Torchvision


class Point(NamedTuple):
    """A mix point: its number, after what it lies, and the shape of one sample's state there."""

    number: int
    name: str
    shape: tuple[int, ...]


class Module(NamedTuple):
    """A module that could be a mix point, by its name in `model.points`, and the shape of its output."""

    name: str
    shape: tuple[int, ...]


def points(model: Model, *, shape: tuple[int, ...], classes: int) -> list[Point]:
    """All mix points of the network for samples of this shape, (C, H, W) or (D,).

    Raises: SpecError where the network can't be built for them.
    """
    network = _weightless(model, shape, classes)
    shapes = dry_run(network, shape=shape)
    return [Point(number, name, shapes[number]) for number, name in enumerate(("input", *network.names))]


def modules(model: Torchvision, *, shape: tuple[int, ...], classes: int) -> list[Module]:
    """All modules that `model.points` may name.

    Raises: SpecError where the network can't be built for samples of this shape.
    """
    network = _weightless(model.model_copy(update={"points": ()}), shape, classes)
    assert isinstance(network, Hooked)
    return [Module(name, state) for name, state in carriers(network.module, shape=shape).items()]


def _weightless(model: Model, shape: tuple[int, ...], classes: int) -> Network:
    with torch.device("meta"):  # shapes without numbers: milliseconds, whatever the size
        return build(model, shape=shape, classes=classes, seed=0)
