"""From a mixing method's spec to what draws its plans, for every batch of an epoch."""

from collections.abc import Sequence
from typing import Protocol, assert_never

from mmix.errors import SpecError
from mmix.mixing.confmix import ConfMixing, Pending
from mmix.mixing.cut import CutMixing, Cutting
from mmix.mixing.mixup import Mixup, Plain
from mmix.mixing.plan import Plan
from mmix.mixing.tables import Tables
from mmix.spec.mixing import (
    ConfMix,
    CutMix,
    Cutout,
    Erm,
    InputMixup,
    LabelSmoothing,
    ManifoldMixup,
    Mixing,
    layers_of,
)

Draw = Plan | Pending
"""A batch's plan, or one that waits for the network's confidence in its samples."""


class Policy(Protocol):
    """How a method draws; a pure function of the tables, which are one of the seed and the epoch."""

    def epoch(self, tables: Tables) -> Sequence[Draw]:
        """The draws of all batches of one epoch."""


def policy(mixing: Mixing, *, shape: tuple[int, ...], classes: int, epochs: int) -> Policy:
    """The policy of a mixing method on samples of this shape.

    Raises: SpecError where the method can't be had, or not on images of this size.
    """
    match mixing:
        case Erm():
            return Plain()
        case LabelSmoothing():
            return Plain(smoothing=mixing.smoothing)
        case InputMixup():
            return Mixup(layers_of(mixing), mixing.alpha, epochs, mixing.sharing, mixing.pairing)
        case ManifoldMixup():
            return _manifold_mixup(mixing, epochs)
        case ConfMix():
            return ConfMixing(mixing.layers, mixing.warmup_epochs, mixing.scale, classes, mixing.confidence)
        case CutMix():
            return CutMixing(_sides(shape), mixing.alpha, mixing.probability, mixing.sharing, epochs)
        case Cutout():
            return _cutout(mixing, _sides(shape))
        case _:
            assert_never(mixing)


def takes_two_batches(mixing: Mixing) -> bool:
    """Whether partners come from a second batch, which the network then sees together with the first.

    Both halves go through the network as one batch of 2B until the mixing layer: batch normalisation below it takes
    its statistics from all 2B samples, above it from the B mixed ones. Hence lambda = 1 isn't plain training here.
    """
    return isinstance(mixing, InputMixup | ManifoldMixup) and mixing.pairing == "two_batches"


def remembers_confidence(mixing: Mixing) -> bool:
    """Whether each sample's confidence is kept from one epoch to the next."""
    return isinstance(mixing, ConfMix) and mixing.confidence == "epoch"


def stops_gradients(mixing: Mixing) -> bool:
    """Whether what lies below the mixing layer gets no gradient in a step."""
    return isinstance(mixing, ManifoldMixup) and mixing.stop_gradient


def _manifold_mixup(mixing: ManifoldMixup, epochs: int) -> Mixup:
    if mixing.pairing == "two_batches" and mixing.layers_per_batch > 1:
        raise SpecError(
            f"mixing.layers_per_batch is {mixing.layers_per_batch}, but two batches are merged at the first layer "
            "where they are mixed: set it to 1, or mixing.pairing to 'shuffle'"
        )
    return Mixup(
        layers=mixing.layers,
        alpha=mixing.alpha,
        epochs=epochs,
        sharing=mixing.sharing,
        pairing=mixing.pairing,
        layers_per_batch=mixing.layers_per_batch,
        stop_gradient=mixing.stop_gradient,
    )


def _cutout(mixing: Cutout, sides: tuple[int, int]) -> Cutting:
    if mixing.size > min(sides):
        raise SpecError(
            f"mixing.size is {mixing.size}, but this data set's images are {sides[0]} x {sides[1]} pixels: "
            f"choose 1 to {min(sides)}"
        )
    return Cutting(sides, mixing.size)


def _sides(shape: tuple[int, ...]) -> tuple[int, int]:
    _, height, width = shape
    return height, width
