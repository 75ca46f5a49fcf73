"""What a training costs, counted in images: the same on every machine."""

from collections.abc import Sequence

from mmix.mixing.policy import takes_two_batches
from mmix.mixing.tables import Tables
from mmix.spec.experiment import ExperimentSpec
from mmix.spec.mixing import ConfMix, Mixing, layers_of


def passes(spec: ExperimentSpec, *, seed: int, images: int, sizes: Sequence[int]) -> float:
    """(forward + 2 backward) / 3 training images of a whole training, so that plain training costs one an image.

    Of all ranks together, and of all epochs, whatever interrupted them; evaluation is no part of it. Each image that
    enters the network in a step counts in full, also where a second batch goes no further than the mixing layer, or a
    gradient stops there. What ConfMix asks the network comes on top, at a third an image.
    images: of the training split. sizes: of an epoch's batches, each with all its shares.
    """
    epochs = range(spec.training.epochs)
    trained = sum(_entering(spec.mixing, Tables(seed, epoch, tuple(sizes))) for epoch in epochs)
    asked = sum(_asked(spec.mixing, epoch, images=images, batched=sum(sizes)) for epoch in epochs)
    return (3 * trained + asked) / 3


def _entering(mixing: Mixing, tables: Tables) -> int:
    """How many images enter the network in an epoch's steps: two batches are one already where the input is mixed."""
    if not takes_two_batches(mixing):
        return sum(tables.sizes)
    drawn = tables.layers(layers_of(mixing))
    return sum(size if layer == 0 else 2 * size for size, (layer,) in zip(tables.sizes, drawn, strict=True))


def _asked(mixing: Mixing, epoch: int, *, images: int, batched: int) -> int:
    """How many images the network is asked about in an epoch, apart from its steps."""
    if not isinstance(mixing, ConfMix):
        return 0
    if mixing.confidence == "epoch":
        return images  # after every epoch, those that warm up among them
    return batched if epoch >= mixing.warmup_epochs else 0
