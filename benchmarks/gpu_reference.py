"""A plain training loop on the same device, in the manner of the Manifold Mixup authors' code."""

import random
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from benchmarks.gpu_subject import Subject
from benchmarks.reference_loop import pictures, plain_loader
from mmix.models.build import build
from mmix.models.staged import Staged

ALPHA = 2.0
UNCOUNTED = 5
"""Batches before the clock starts: by then the loader's workers have begun."""


def plain(subject: Subject, *, batches: int) -> Callable[[], float]:
    """Measures so many batches, in images a second: fp32, images decoded by two workers, layer and lambda by the host.

    What anybody would turn on is on: pinned memory, cuDNN's choice of kernels. TF32 is off, as in fp32 elsewhere here.
    """
    spec = subject.spec(precision="fp32")
    network = build(spec.model, shape=subject.data.shape, classes=len(subject.data.classes), seed=0)
    assert isinstance(network, Staged)
    network = network.to(subject.device, memory_format=torch.contiguous_format).train()  # type: ignore[call-overload]
    optimiser = torch.optim.SGD(network.parameters(), lr=0.01, momentum=0.9, nesterov=True, weight_decay=1e-4)
    train = subject.data.train
    loader = plain_loader(pictures(train.x, train.y), batch_size=spec.training.batch_size)
    endless = _endless(loader)
    layers = (0, 1) if subject.quick else (0, 1, 2)

    def rate() -> float:
        images, start = 0, 0.0
        with torch.backends.cudnn.flags(enabled=True, benchmark=True, allow_tf32=False):
            for number in range(UNCOUNTED + batches):
                if number == UNCOUNTED:
                    start = time.perf_counter()
                x, y = next(endless)
                x, y = x.to(subject.device), y.to(subject.device)
                _step(network, optimiser, x, y, layer=random.choice(layers), classes=len(subject.data.classes))
                images += len(y) if number >= UNCOUNTED else 0
        return images / (time.perf_counter() - start)

    return rate


def _endless(loader: Any) -> Iterator[tuple[Tensor, Tensor]]:
    while True:
        yield from loader


def _step(network: Staged, optimiser: torch.optim.Optimizer, x: Tensor, y: Tensor, *, layer: int, classes: int) -> None:
    lam, partner = float(np.random.beta(ALPHA, ALPHA)), torch.randperm(len(y), device=x.device)
    target = nn.functional.one_hot(y, classes).float()
    for point, stage in enumerate(network.stages):
        if point == layer:
            x, target = (lam * each + (1 - lam) * each[partner] for each in (x, target))
        x = stage(x)
    loss = nn.functional.binary_cross_entropy(network.head(x).softmax(1), target)
    optimiser.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    optimiser.step()
    loss.item()  # they keep a mean of it as they go
