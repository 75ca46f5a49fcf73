"""Global average pooling."""

from torch import Tensor, nn


class Pool(nn.Module):
    """The mean over all positions, (B, C, H, W) -> (B, C)."""

    def forward(self, x: Tensor) -> Tensor:
        """x: (B, C, H, W); (B, C)."""
        return x.mean((2, 3))  # adaptive pooling has no deterministic gradient on CUDA
