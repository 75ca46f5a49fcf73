"""What a space looks like to the network that decides in it: a layer's, and the plane of the inputs."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mmix.data.dataset import Dataset
from mmix.evaluation.pictures import grid
from mmix.evaluation.predict import BATCH, evaluating
from mmix.evaluation.states import sample, states, widths
from mmix.mixing.draw import generator

DRAWN = 5000  # points of a box: the standard error of a mean entropy is below 0.02 nats
MOST_DIMENSIONS = 3
"""Of a box that is looked at: with more, nearly all of it lies in corners, far from any state of any network."""


@dataclass(frozen=True, eq=False)
class Substitute:
    """A mixer that mixes nothing: at one point it puts given states in the place of those that come."""

    point: int
    states: Tensor

    @property
    def last_point_used(self) -> int:
        """The point."""
        return self.point

    def at(self, point: int, x: Tensor) -> Tensor:
        """x, or the states in x's shape. x: (B, ...)."""
        return self.states.to(x).reshape(x.shape) if point == self.point else x


def scatter(states: Tensor, y: Tensor) -> float | None:
    """The share of the variance that lies between the classes' means, in [0, 1]; None where all states are equal.

    states: (N, D). y: (N,), int64.
    """
    moved = states.double() - states.mean(0, dtype=torch.float64)
    whole = moved.square().sum().item()
    groups = [moved[y == label] for label in _classes(y)]
    between = sum(len(group) * group.mean(0).square().sum().item() for group in groups)
    return float(min(between / whole, 1.0)) if whole > 0 else None


def box_entropy(model: nn.Module, data: Dataset, *, point: int) -> float | None:
    """The mean entropy in nats of the answers to points of the box around the training states at a mix point.

    The points are drawn uniformly, and lie at the same places of every network's box. None where the states have more
    than 3 dimensions.
    Source: Manifold Mixup (arXiv:1806.05236), figure 2: off the states a network should be unsure.
    """
    width = widths(model, shape=data.shape)[point]
    if width > MOST_DIMENSIONS:
        return None
    found, _ = states(model, sample(data.train), data.statistics, point=point)
    low, high = found.amin(0), found.amax(0)
    places = generator(seed=0, purpose="box", epoch=0).random((DRAWN, width), dtype=np.float32)
    return _entropy(answers(model, data, low + torch.from_numpy(places) * (high - low), point=point))


def answers(model: nn.Module, data: Dataset, states: Tensor, *, point: int) -> Tensor:
    """The logits of what follows a mix point, at given states, (N, K), float32. states: (N, D)."""
    device = data.statistics.mean.device
    with evaluating(model), torch.inference_mode():
        parts = [
            model(torch.zeros(len(part), *data.shape, device=device), Substitute(point, part.to(device)))
            for part in states.split(BATCH)  # type: ignore[no-untyped-call]
        ]
    return torch.cat(parts)


def boundary_measures(model: nn.Module, data: Dataset) -> dict[str, float]:
    """How far training points lie from another decision, and how unsure the network is over the picture, by metric.

    The margin is absent where the picture has but one decision; it is known as finely as the picture is drawn.
    """
    _, points, logits = grid(model, data)
    decided, known = logits.argmax(1).cpu(), sample(data.train).to("cpu")
    found = {"boundary_entropy": _entropy(logits)}
    if bool((decided == decided[0]).all()):
        return found
    distances = [
        torch.cdist(known.x[known.y == label].double(), points[decided != label].double()).amin(1)
        for label in _classes(known.y)
    ]
    return found | {"boundary_margin": torch.cat(distances).mean().item()}


def _entropy(logits: Tensor) -> float:
    probabilities = F.softmax(logits.double(), dim=1)
    return float(torch.special.entr(probabilities).sum(1).mean())


def _classes(y: Tensor) -> Iterator[int]:
    """Those that occur, rising."""
    return (label for label in range(int(y.max()) + 1) if (y == label).any())
