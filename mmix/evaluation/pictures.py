"""Data for two pictures: where a network decides in the plane, and where it puts samples in its narrowest layer."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mmix.data.dataset import Dataset
from mmix.data.pixels import normalise
from mmix.evaluation.documents import Json, numbers
from mmix.evaluation.predict import evaluating

SIDE = 100  # points of the grid in either direction
MARGIN = 0.1  # of the data's extent, on each side
SHOWN = 2000  # training points

BOUNDARY_UNITS = {
    "x": "raw coordinate",
    "y": "raw coordinate",
    "probabilities": "fraction, by row (y), column (x) and class",
    "bayes": "class, by row and column",
    "points": "raw coordinates",
    "labels": "class",
}
HIDDEN_UNITS = {
    "coordinates": "as the layer scales them",
    "explained": "fraction of the variance",
    "labels": "class",
}


def boundary(model: nn.Module, data: Dataset) -> Mapping[str, Json]:
    """The class probabilities on a grid over the training points, those points, and the Bayes decision if known."""
    axes, places, logits = grid(model, data)
    probabilities = F.softmax(logits.double(), dim=1).float().cpu()
    points = data.train.x.cpu()
    every = -(-len(points) // SHOWN)
    return {
        "x": numbers(axes[0]),
        "y": numbers(axes[1]),
        "probabilities": numbers(probabilities.reshape(SIDE, SIDE, -1)),
        "bayes": None if data.rule is None else numbers(data.rule(places).reshape(SIDE, SIDE)),
        "points": numbers(points[::every]),
        "labels": numbers(data.train.y.cpu()[::every]),
        "classes": list(data.classes),
    }


def grid(model: nn.Module, data: Dataset) -> tuple[tuple[Tensor, Tensor], Tensor, Tensor]:
    """The two axes of a grid over the training points, its points (M, 2) row by row, and the logits there (M, K)."""
    points = data.train.x.cpu()
    across, up = _axis(points[:, 0]), _axis(points[:, 1])
    y, x = torch.meshgrid(up, across, indexing="ij")
    places = torch.stack([x, y], dim=2).reshape(-1, 2)
    with evaluating(model), torch.inference_mode():
        logits: Tensor = model(normalise(places.to(data.statistics.mean.device), data.statistics))
    return (across, up), places, logits


def hidden(states: Tensor, y: Tensor, *, point: int, classes: tuple[str, ...]) -> Mapping[str, Json]:
    """Two coordinates of each state: its own where it has no more, else its two leading principal components.

    states: (N, D). y: (N,), int64.
    """
    width = states.shape[1]
    coordinates, explained = (states, None) if width <= 2 else principal(states)
    return {
        "point": point,
        "width": width,
        "projection": "coordinates" if explained is None else "principal components",
        "explained": None if explained is None else numbers(explained),
        "coordinates": numbers(coordinates),
        "labels": numbers(y),
        "classes": list(classes),
    }


def principal(states: Tensor) -> tuple[Tensor, Tensor]:
    """The two leading principal components of each state (N, 2), and the share of the variance of each (2,).

    states: (N, D), D above 1. float64. A component's sign is such that its largest coordinate is positive.
    """
    moved = states - states.mean(0, dtype=torch.float64)
    left, values, _ = torch.linalg.svd(moved, full_matrices=False)
    coordinates = left[:, :2] * values[:2]
    largest = coordinates.gather(0, coordinates.abs().argmax(0, keepdim=True))
    whole = values.square().sum().clamp(min=torch.finfo(torch.float64).tiny)
    return coordinates * torch.where(largest < 0, -1.0, 1.0), values[:2].square() / whole


def _axis(values: Tensor) -> Tensor:
    low, high = values.min().item(), values.max().item()
    margin = MARGIN * (high - low)
    return torch.linspace(low - margin, high + margin, SIDE)
