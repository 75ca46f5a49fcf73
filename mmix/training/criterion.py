"""The loss of each sample; the mean over a batch, mixed or not, is taken elsewhere."""

from typing import Literal, assert_never

from torch import Tensor
from torch.nn import functional as F

from mmix.mixing.plan import Criterion


def criterion(loss: Literal["ce", "bce"]) -> Criterion:
    """The loss by its name in the spec. Both work in float32, whatever the precision of the logits."""
    match loss:
        case "ce":
            return cross_entropy
        case "bce":
            return binary_cross_entropy
        case _:
            assert_never(loss)


def cross_entropy(logits: Tensor, y: Tensor) -> Tensor:
    """logits: (B, K). y: (B,), int64. (B,), in nats."""
    return F.cross_entropy(logits.float(), y, reduction="none")


def binary_cross_entropy(logits: Tensor, y: Tensor) -> Tensor:
    """The binary cross-entropy of each class's softmax probability, averaged over the classes.

    Its gradient is that of cross-entropy divided by about K (one to two times 1/K): the same learning rate
    means another experiment, and weight decay weighs K times as much.
    logits: (B, K). y: (B,), int64. (B,), in nats.
    Source: the authors' code, supervised/main.py: BCELoss()(softmax(logits), one-hot), for all methods.
    """
    probabilities = logits.float().softmax(1)
    target = F.one_hot(y, logits.shape[1]).to(probabilities.dtype)
    return F.binary_cross_entropy(probabilities, target, reduction="none").mean(1)
