"""What a network answers on a split."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from mmix.data.dataset import Split, Statistics
from mmix.data.pixels import normalise, unit

BATCH = 500  # fixed: another batch size may change the last bit of a sum


def predict(model: nn.Module, split: Split, statistics: Statistics) -> Tensor:
    """The logits of all images, (N, K), float32, on the split's device.

    In evaluation mode, float32 and without mixing; the model's mode is left as it was.
    """
    with evaluating(model), torch.inference_mode():
        return torch.cat([model(normalise(x, statistics)) for x, _ in batches(split)])


def batches(split: Split) -> Iterator[tuple[Tensor, Tensor]]:
    """The split in order. x: (B, C, H, W), in [0, 1], channels_last. y: (B,), int64."""
    for x, y in zip(split.x.split(BATCH), split.y.split(BATCH), strict=True):  # type: ignore[no-untyped-call]
        yield unit(x).contiguous(memory_format=torch.channels_last), y


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Puts the model into evaluation mode, and back into the mode it had."""
    training = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(training)
