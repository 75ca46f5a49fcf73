"""The wide residual network, as the authors of Manifold Mixup built it."""

from itertools import pairwise

from torch import Tensor, nn
from torch.nn import functional as F

from mmix.models.pool import Pool
from mmix.models.staged import Staged

STEM = 16  # Zagoruyko and Komodakis (2016), Table 1
STRIDES = (1, 2, 2)


class WideBlock(nn.Module):
    """BN, ReLU, conv, BN, ReLU, conv with the block's stride, and a shortcut; all convolutions have biases.

    Where the shape changes, the shortcut is a 1 x 1 convolution of the raw input.
    """

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.norm1 = nn.BatchNorm2d(inputs)
        self.conv1 = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.norm2 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, stride=stride, padding=1)
        changes = stride != 1 or inputs != outputs
        self.shortcut = nn.Conv2d(inputs, outputs, 1, stride=stride) if changes else None

    def forward(self, x: Tensor) -> Tensor:
        """x: (B, C, H, W); (B, C', H', W'), the raw sum of both branches."""
        kept = x if self.shortcut is None else self.shortcut(x)
        inner = self.conv1(F.relu(self.norm1(x)))
        residual: Tensor = self.conv2(F.relu(self.norm2(inner)))
        return residual + kept


def wide_resnet(*, depth: int, widen: int, channels: int, classes: int) -> Staged:
    """A stem and three groups of (depth - 4) / 6 blocks of 16, 32 and 64 times `widen`; BN, ReLU, pooling and a head.

    Point 1 lies after stem and group 1, point k after group k: the raw sum, before the next BN and ReLU.
    Source: the authors' code, models/wide_resnet.py, which has no dropout here.
    Differs: the authors' last BN has momentum 0.9, in torch's convention running statistics of little more than the
        last batch, which looks like a number carried over from a framework with the opposite one; ours has torch's
        default of 0.1, as all their other BNs. They pool 8 x 8 windows, the same on 32 x 32 images; we pool whatever
        is there.
    """
    widths = [STEM, *(STEM * widen * 2**group for group in range(3))]
    groups = [
        _group(inputs, outputs, blocks=(depth - 4) // 6, stride=stride)
        for (inputs, outputs), stride in zip(pairwise(widths), STRIDES, strict=True)
    ]
    groups[0].insert(0, nn.Conv2d(channels, STEM, 3, padding=1))
    head = nn.Sequential(nn.BatchNorm2d(widths[-1]), nn.ReLU(), Pool(), nn.Linear(widths[-1], classes))
    return Staged(groups, head, names=("stem and group 1", "group 2", "group 3"))


def _group(inputs: int, outputs: int, *, blocks: int, stride: int) -> nn.Sequential:
    rest = [WideBlock(outputs, outputs, 1) for _ in range(blocks - 1)]
    return nn.Sequential(WideBlock(inputs, outputs, stride), *rest)
