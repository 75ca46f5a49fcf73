"""The pre-activation residual network, as the authors of Manifold Mixup built it."""

from collections.abc import Sequence
from typing import ClassVar

from torch import Tensor, nn
from torch.nn import functional as F

from mmix.models.pool import Pool
from mmix.models.staged import Staged

STRIDES = (1, 2, 2, 2)


class Block(nn.Module):
    """BN, ReLU, conv, BN, ReLU, conv, and a shortcut.

    Where the shape changes, the shortcut is a 1 x 1 convolution (no BN) of the activated input.
    """

    expansion: ClassVar[int] = 1

    def __init__(self, inputs: int, width: int, stride: int) -> None:
        super().__init__()
        self.norm1 = nn.BatchNorm2d(inputs)
        self.conv1 = nn.Conv2d(inputs, width, 3, stride=stride, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.shortcut = _shortcut(inputs, width, stride)

    def forward(self, x: Tensor) -> Tensor:
        """x: (B, C, H, W); (B, C', H', W'), the raw sum of both branches."""
        active = F.relu(self.norm1(x))
        kept = x if self.shortcut is None else self.shortcut(active)
        residual: Tensor = self.conv2(F.relu(self.norm2(self.conv1(active))))
        return residual + kept


class Bottleneck(nn.Module):
    """BN and ReLU before each of a 1 x 1, a 3 x 3 and a widening 1 x 1 convolution, and the shortcut of `Block`."""

    expansion: ClassVar[int] = 4

    def __init__(self, inputs: int, width: int, stride: int) -> None:
        super().__init__()
        outputs = self.expansion * width
        self.norm1 = nn.BatchNorm2d(inputs)
        self.conv1 = nn.Conv2d(inputs, width, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride=stride, padding=1, bias=False)
        self.norm3 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, outputs, 1, bias=False)
        self.shortcut = _shortcut(inputs, outputs, stride)

    def forward(self, x: Tensor) -> Tensor:
        """x: (B, C, H, W); (B, C', H', W'), the raw sum of both branches."""
        active = F.relu(self.norm1(x))
        kept = x if self.shortcut is None else self.shortcut(active)
        inner = self.conv2(F.relu(self.norm2(self.conv1(active))))
        residual: Tensor = self.conv3(F.relu(self.norm3(inner)))
        return residual + kept


LAYOUTS: dict[int, tuple[type[Block] | type[Bottleneck], tuple[int, ...]]] = {
    18: (Block, (2, 2, 2, 2)),
    34: (Block, (3, 4, 6, 3)),
    50: (Bottleneck, (3, 4, 6, 3)),
}


def preact_resnet(
    *, depth: int, width: int, channels: int, classes: int, stem_stride: int = 1, final_norm: bool = False
) -> Staged:
    """A stem and four groups of blocks of width, 2, 4 and 8 times width; pooling and a linear head.

    Point 1 lies after stem and group 1, point k after group k: the raw sum, before the next BN and ReLU.
    Source: the authors' code, models/preresnet.py; no BN and no ReLU stand between group 4 and the pooling, unless
        `final_norm` puts them there as He et al. (2016) have them. Their stem has stride 2 on Tiny-ImageNet.
    Differs: the authors pool 4 x 4 windows, which is the same on 32 x 32 images; we pool whatever is there.
    """
    block, counts = LAYOUTS[depth]
    widths = [width * 2**group for group in range(4)]
    inputs = [width, *(block.expansion * each for each in widths)]
    groups = [
        nn.Sequential(*_blocks(block, before, each, count=count, stride=stride))
        for before, each, count, stride in zip(inputs, widths, counts, STRIDES, strict=False)
    ]
    groups[0].insert(0, nn.Conv2d(channels, width, 3, stride=stem_stride, padding=1, bias=False))
    norm = [nn.BatchNorm2d(inputs[-1]), nn.ReLU()] if final_norm else []
    head = nn.Sequential(*norm, Pool(), nn.Linear(inputs[-1], classes))
    return Staged(groups, head, names=("stem and group 1", "group 2", "group 3", "group 4"))


def _blocks(
    block: type[Block] | type[Bottleneck], inputs: int, width: int, *, count: int, stride: int
) -> Sequence[nn.Module]:
    outputs = block.expansion * width
    return [block(inputs, width, stride), *(block(outputs, width, 1) for _ in range(count - 1))]


def _shortcut(inputs: int, outputs: int, stride: int) -> nn.Conv2d | None:
    changes = stride != 1 or inputs != outputs
    return nn.Conv2d(inputs, outputs, 1, stride=stride, bias=False) if changes else None
