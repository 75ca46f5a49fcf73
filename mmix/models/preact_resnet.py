"""The pre-activation residual network, as the authors of Manifold Mixup built it."""

from itertools import pairwise

from torch import Tensor, nn
from torch.nn import functional as F

from mmix.models.staged import Staged

BLOCKS = {18: (2, 2, 2, 2)}
STRIDES = (1, 2, 2, 2)


class Block(nn.Module):
    """BN, ReLU, conv, BN, ReLU, conv, and a shortcut.

    Where the shape changes, the shortcut is a 1 x 1 convolution (no BN) of the activated input.
    """

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.norm1 = nn.BatchNorm2d(inputs)
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        changes = stride != 1 or inputs != outputs
        self.shortcut = nn.Conv2d(inputs, outputs, 1, stride=stride, bias=False) if changes else None

    def forward(self, x: Tensor) -> Tensor:
        """x: (B, C, H, W); (B, C', H', W'), the raw sum of both branches."""
        active = F.relu(self.norm1(x))
        kept = x if self.shortcut is None else self.shortcut(active)
        residual: Tensor = self.conv2(F.relu(self.norm2(self.conv1(active))))
        return residual + kept


class Pool(nn.Module):
    """The mean over all positions, (B, C, H, W) -> (B, C)."""

    def forward(self, x: Tensor) -> Tensor:
        """x: (B, C, H, W); (B, C)."""
        return x.mean((2, 3))  # adaptive pooling has no deterministic gradient on CUDA


def preact_resnet(*, depth: int, width: int, channels: int, classes: int) -> Staged:
    """A stem and four groups of blocks of width, 2, 4 and 8 times width; pooling and a linear head.

    Point 1 lies after stem and group 1, point k after group k: the raw sum, before the next BN and ReLU.
    Source: the authors' code, models/preresnet.py; no BN and no ReLU stand between group 4 and the pooling.
    Differs: the authors pool 4 x 4 windows, which is the same on 32 x 32 images; we pool whatever is there.
    """
    widths = [width * 2**group for group in range(4)]
    shapes = pairwise([width, *widths])
    groups = [
        _group(inputs, outputs, blocks=blocks, stride=stride)
        for (inputs, outputs), blocks, stride in zip(shapes, BLOCKS[depth], STRIDES, strict=True)
    ]
    groups[0].insert(0, nn.Conv2d(channels, width, 3, padding=1, bias=False))
    return Staged(groups, nn.Sequential(Pool(), nn.Linear(widths[-1], classes)))


def _group(inputs: int, outputs: int, *, blocks: int, stride: int) -> nn.Sequential:
    rest = [Block(outputs, outputs, 1) for _ in range(blocks - 1)]
    return nn.Sequential(Block(inputs, outputs, stride), *rest)
