"""Flattening whose gradient comes back as the convolutions below it want it."""

from typing import Any

import torch
from torch import Tensor, nn


class Flatten(nn.Module):
    """(B, C, H, W) -> (B, C * H * W), as torch's own; but where x is channels_last, so is its gradient.

    torch's gradient is contiguous whatever x was, and max pooling then copies its whole input there and back: more
    than half of the time that the small convolutional network needs for pooling (CPU).
    """

    def forward(self, x: Tensor) -> Tensor:
        """x: (B, C, H, W); (B, C * H * W)."""
        if x.dim() != 4 or not x.is_contiguous(memory_format=torch.channels_last):
            return x.flatten(1)
        flat: Tensor = _Flattened.apply(x)  # type: ignore[no-untyped-call]
        return flat


class _Flattened(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.shape = x.shape
        return x.flatten(1)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        (gradient,) = gradients
        return gradient.view(ctx.shape).contiguous(memory_format=torch.channels_last)
