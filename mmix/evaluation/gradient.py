"""How the loss changes with the input."""

from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mmix.data.dataset import Split, Statistics
from mmix.data.pixels import normalise
from mmix.evaluation.predict import BATCH, evaluating


def gradient(model: nn.Module, x: Tensor, y: Tensor, statistics: Statistics) -> Tensor:
    """The gradient of the summed cross-entropy with respect to x, of its shape.

    x: (B, C, H, W) in [0, 1], or (B, D). y: (B,), int64. Summed: a mean would bring small gradients closer to 0.
    """
    sample = x.detach().requires_grad_()
    with differentiable(model):
        loss = F.cross_entropy(model(normalise(sample, statistics)), y, reduction="sum")
        (found,) = torch.autograd.grad(loss, sample)
    return found


def gradient_norms(model: nn.Module, split: Split, statistics: Statistics) -> Tensor:
    """The Euclidean norm of each sample's gradient, (N,), float64: per pixel in [0, 1], or per raw coordinate.

    0 only where the gradient is exactly 0 everywhere.
    Source: ConfMix manuscript, Result 1: mixup as empirical risk plus penalties on derivatives.
    """
    with evaluating(model):
        return torch.cat(
            [
                # float64: the square of the smallest float32 would be 0
                gradient(model, x, y, statistics).double().flatten(1).norm(dim=1)
                for x, y in split.batches(BATCH)
            ]
        )


def differentiable(model: nn.Module) -> AbstractContextManager[object]:
    """The context of a pass that is differentiated in evaluation mode, which cuDNN's recurrent kernels refuse."""
    recurrent = any(isinstance(module, nn.RNNBase) for module in model.modules())
    return torch.backends.cudnn.flags(enabled=False) if recurrent else nullcontext()
