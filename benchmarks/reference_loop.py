"""A plain training loop in the manner of the Manifold Mixup authors' code, to measure mmix against.

Written from a description of their code, supervised/main.py and load_data.py: PIL transforms in a DataLoader with
two workers, float32, NCHW, the layer and lambda drawn on the host for each batch, labels one-hot on the host, the
mixing of whole states, and BCE(softmax). The networks are ours, in torch's default memory format.
"""

import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader

from benchmarks.subjects import CLASSES, SHAPE
from mmix.models.build import build
from mmix.models.staged import Staged
from mmix.spec.experiment import ExperimentSpec
from mmix.torchvision_import import torchvision

WORKERS = 2
AHEAD = 4
"""Batches that each worker prepares ahead, with torch's recommended settings; without them it is two."""


@dataclass(frozen=True, eq=False)
class Pictures(torch.utils.data.Dataset[tuple[Tensor, int]]):
    """Images as the data sets of torchvision hold them. pixels: (N, H, W, C), uint8. labels: (N,)."""

    pixels: np.ndarray[Any, Any]
    labels: list[int]
    view: Callable[[Image.Image], Tensor]

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, place: int) -> tuple[Tensor, int]:
        return self.view(Image.fromarray(self.pixels[place])), self.labels[place]


def pictures(x: Tensor, y: Tensor) -> Pictures:
    """x: (N, C, H, W), uint8. y: (N,), int64. Cropped with a padding of 2 pixels, flipped and normalised."""
    transforms = torchvision("transforms")
    view = transforms.Compose(
        [
            transforms.RandomHorizontalFlip(),
            transforms.RandomCrop(SHAPE[1], padding=2),
            transforms.ToTensor(),
            transforms.Normalize([0.5] * 3, [0.25] * 3),
        ]
    )
    return Pictures(x.permute(0, 2, 3, 1).contiguous().numpy(), y.tolist(), view)


def plain_loader(data: Pictures, *, batch_size: int) -> DataLoader[Any]:
    """As the authors' code has it; pinned memory would be without use, as there is no GPU."""
    return DataLoader(data, batch_size=batch_size, shuffle=True, num_workers=WORKERS, multiprocessing_context="fork")


def recommended_loader(data: Pictures, *, batch_size: int) -> DataLoader[Any]:
    """With what torch's documentation recommends beyond that: workers that stay, and more prepared ahead."""
    return DataLoader(
        data,
        batch_size=batch_size,
        shuffle=True,
        num_workers=WORKERS,
        multiprocessing_context="fork",  # Linux's own before Python 3.14, which a spawned process doesn't inherit
        persistent_workers=True,
        prefetch_factor=AHEAD,
    )


class Reference:
    """The plain loop on one network; it goes on where it stopped."""

    def __init__(self, spec: ExperimentSpec, loader: DataLoader[Any], *, layers: tuple[int, ...], alpha: float) -> None:
        network = build(spec.model, shape=SHAPE, classes=CLASSES, seed=0)
        assert isinstance(network, Staged)
        self._network = network.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
        self._loader, self._layers, self._alpha = loader, layers, alpha
        self._loss = nn.CrossEntropyLoss() if spec.training.loss == "ce" else nn.BCELoss()
        self._softmax = nn.Identity() if spec.training.loss == "ce" else nn.Softmax(dim=1)
        self._optimiser = torch.optim.SGD(network.parameters(), lr=0.01, momentum=0.9, nesterov=True, weight_decay=1e-4)

    def images_per_second(self, batches: int, *, uncounted: int = WORKERS * AHEAD + 1) -> float:
        """Of that many batches, after those for which the clock stands still.

        These are as many as the workers may have prepared ahead: neither their start nor that work shall count.
        """
        self._network.train()
        images, start = 0, 0.0
        for number, (x, y) in enumerate(self._endless()):
            if number == uncounted:
                start = time.perf_counter()
            if number == uncounted + batches:
                break
            self._step(x, y)
            images += len(y) if number >= uncounted else 0
        return images / (time.perf_counter() - start)

    def _endless(self) -> Iterator[tuple[Tensor, Tensor]]:
        while True:
            yield from self._loader

    def _step(self, x: Tensor, y: Tensor) -> None:
        layer, lam = random.choice(self._layers), float(np.random.beta(self._alpha, self._alpha))
        partner = torch.from_numpy(np.random.permutation(len(y)))
        target = torch.zeros(len(y), CLASSES).scatter_(1, y[:, None], 1)
        for point, stage in enumerate(self._network.stages):
            if point == layer:
                x, target = (lam * each + (1 - lam) * each[partner] for each in (x, target))
            x = stage(x)
        loss = self._loss(self._softmax(self._network.head(x)), target)
        self._optimiser.zero_grad()
        loss.backward()
        self._optimiser.step()
        loss.item()  # they keep a mean of it, and of the accuracy, as they go
