"""The small convolutional network of the ConfMix manuscript."""

from torch import nn

from mmix.errors import SpecError
from mmix.models.flatten import Flatten
from mmix.models.staged import Staged

SMALLEST = 4  # pixels a side: two poolings leave one


def convnet(*, shape: tuple[int, int, int], classes: int) -> Staged:
    """Conv 32, Conv 64 (3 x 3, ReLU, max pooling by 2 each), FC 64 with ReLU, FC K. shape: (C, H, W).

    Point 1 lies after Conv 32, point 2 before FC 64 (flattened), point 3 after FC 64.
    Source: ConfMix manuscript, Table 2 (Conv 32, Conv 64, FC 64, FC 10; mixing "before the first FC layer").
    Differs: the manuscript states neither padding nor pooling; same padding and max pooling are our choice.

    Raises: SpecError where the images are too small.
    """
    channels, height, width = shape
    if min(height, width) < SMALLEST:
        raise SpecError(
            f"model.kind is 'convnet', which needs images of at least {SMALLEST} x {SMALLEST} pixels; "
            f"this data set's are {height} x {width}: choose 'mlp' or 'preact_resnet'"
        )
    first = _convolution(channels, 32)
    second = _convolution(32, 64).append(Flatten())
    third = nn.Sequential(nn.Linear(64 * (height // 4) * (width // 4), 64), nn.ReLU())
    return Staged([first, second, third], nn.Linear(64, classes), names=("conv 32", "conv 64, flattened", "FC 64"))


def _convolution(inputs: int, outputs: int) -> nn.Sequential:
    # Pooling first gives the same bits, forward and backward, and leaves a quarter of the numbers to the ReLU.
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, padding="same"), nn.MaxPool2d(2), nn.ReLU())
