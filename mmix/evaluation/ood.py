"""Whether confidence tells the test images from images that are none of the network's business."""

import importlib
from collections.abc import Iterable, Iterator
from typing import assert_never

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mmix.data.dataset import Split, Statistics
from mmix.data.pixels import normalise
from mmix.evaluation.predict import BATCH, evaluating
from mmix.mixing.draw import generator
from mmix.spec.evaluation import Noise
from mmix.torchvision_import import torchvision


def confidences_on(model: nn.Module, images: Iterable[Tensor], statistics: Statistics) -> Tensor:
    """The largest softmax probability for each image, (N,), float64, on the CPU.

    images: batches (B, C, H, W), in [0, 1]; they are normalised as the network's own images are.
    """
    with evaluating(model), torch.inference_mode():
        return torch.cat([model(normalise(x, statistics)).double().softmax(1).amax(1).cpu() for x in images])


def auroc(known: Tensor, strange: Tensor) -> float:
    """The probability that a known image has the larger confidence than a strange one, ties counted half.

    known: (N,), strange: (M,), in [0, 1].
    Source: Hendrycks and Gimpel (2017), section 2.
    """
    torchvision("transforms")  # torchmetrics imports it as soon as it is there, working or not
    metrics = importlib.import_module("torchmetrics.functional.classification")  # here, as both cost a second
    labels = torch.cat([torch.ones(len(known)), torch.zeros(len(strange))]).long()
    found: Tensor = metrics.binary_auroc(torch.cat([known, strange]), labels)
    return found.item()


def fitted(split: Split, *, shape: tuple[int, ...], device: torch.device) -> Iterator[Tensor]:
    """A foreign split's images in batches on the device, brought to the shape (C, H, W) that the network knows."""
    for x, _ in split.batches(BATCH):
        yield fit(x.to(device), shape)


def fit(x: Tensor, shape: tuple[int, ...]) -> Tensor:
    """x: (B, C', H', W'), in [0, 1]; (B, C, H, W) for shape (C, H, W), in [0, 1].

    Grey becomes colour by repetition, and colour grey by the mean of its channels. Another size is reached
    bilinearly, with antialiasing: what shrinks is averaged.
    """
    channels, height, width = shape
    if x.shape[1] != channels:
        x = x.mean(1, keepdim=True).expand(-1, channels, -1, -1)
    if x.shape[2:] != (height, width):
        x = F.interpolate(x, (height, width), mode="bilinear", align_corners=False, antialias=True)
    return x.clamp(0, 1)


def noise(wanted: Noise, split: Split, *, shape: tuple[int, ...]) -> Iterator[Tensor]:
    """As many images without meaning as the split has, in batches on its device, the same for every run.

    Uniform: each pixel in [0, 1]. Gaussian: with the mean and deviation of the split's pixels in each channel,
    clipped to [0, 1].
    """
    device = split.y.device
    match wanted.kind:
        case "uniform_noise":
            draw = generator(seed=0, purpose="ood", epoch=0, group=0)
            for size in _sizes(len(split)):
                yield torch.from_numpy(draw.random((size, *shape), dtype=np.float32)).to(device)
        case "gaussian_noise":
            mean, std = _moments(split)
            draw = generator(seed=0, purpose="ood", epoch=0, group=1)
            for size in _sizes(len(split)):
                drawn = torch.from_numpy(draw.standard_normal((size, *shape), dtype=np.float32)).to(device)
                yield (mean + std * drawn).clamp(0, 1)
        case _:
            assert_never(wanted.kind)


def _sizes(images: int) -> list[int]:
    return [min(BATCH, images - start) for start in range(0, images, BATCH)]


def _moments(split: Split) -> tuple[Tensor, Tensor]:
    """The mean and deviation of each channel, (C, 1, 1), float32."""
    pixels = (x.double() for x, _ in split.batches(BATCH))
    sums = [torch.stack([x.mean((2, 3)).sum(0), x.square().mean((2, 3)).sum(0)]) for x in pixels]
    mean, square = (torch.stack(sums).sum(0) / len(split))[:, :, None, None]
    return mean.float(), (square - mean.square()).clamp(min=0).sqrt().float()
