"""What a network answers on a split."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from mmix.data.dataset import Split, Statistics
from mmix.data.pixels import normalise

BATCH = 250  # fixed: another batch size may change the last bit of a sum; larger ones only take more memory


def predict(model: nn.Module, split: Split, statistics: Statistics) -> Tensor:
    """The logits of all samples, (N, K), float32, on the split's device.

    In evaluation mode, float32 and without mixing; the model's mode is left as it was.
    """
    with evaluating(model), torch.inference_mode():
        return torch.cat([model(normalise(x, statistics)) for x, _ in split.batches(BATCH)])


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Puts the model into evaluation mode and float32, and back into the mode it had.

    A network that was compiled for training runs as it was written: what is measured doesn't depend on a compiler.
    """
    training = model.training
    model.eval()
    device = next(model.parameters()).device
    try:
        with (
            torch.compiler.set_stance("force_eager"),
            torch.autocast(device.type, enabled=False),  # whoever evaluates may be inside of one
        ):
            yield
    finally:
        model.train(training)
