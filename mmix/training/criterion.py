"""The loss of each sample at a distribution over labels; the mean over a batch is taken elsewhere."""

from typing import assert_never

from torch import Tensor
from torch.nn import functional as F

from mmix.mixing.plan import Criterion
from mmix.spec.optimisation import Loss


def criterion(loss: Loss) -> Criterion:
    """The loss by its name in the spec. All work in float32, whatever the precision of the logits."""
    match loss:
        case "ce":
            return cross_entropy
        case "bce":
            return binary_cross_entropy
        case "mse":
            return squared_error
        case _:
            assert_never(loss)


def cross_entropy(logits: Tensor, target: Tensor) -> Tensor:
    """logits, target: (B, K). (B,), in nats."""
    return F.cross_entropy(logits.float(), target, reduction="none")


def binary_cross_entropy(logits: Tensor, target: Tensor) -> Tensor:
    """The binary cross-entropy of each class's softmax probability, averaged over the classes.

    Its gradient is that of cross-entropy divided by about K (one to two times 1/K): the same learning rate
    means another experiment, and weight decay weighs K times as much.
    logits, target: (B, K). (B,), in nats.
    Source: the authors' code, supervised/main.py: BCELoss()(softmax(logits), target), for all methods.
    """
    return F.binary_cross_entropy(logits.float().softmax(1), target, reduction="none").mean(1)


def squared_error(logits: Tensor, target: Tensor) -> Tensor:
    """The squared difference of the raw logits and the target, averaged over the classes.

    The network's outputs are linear then, so that they can equal a mixed label exactly. The loss is not linear in
    the target: the pair form lam * loss(y) + (1 - lam) * loss(y') is larger by a constant without gradient.
    logits, target: (B, K). (B,).
    """
    return (logits.float() - target).square().mean(1)
