"""What a network makes of samples on their way through it."""

import math
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from mmix.data.dataset import Split, Statistics
from mmix.data.pixels import normalise
from mmix.evaluation.predict import BATCH, evaluating
from mmix.mixing.draw import generator
from mmix.models.dry_run import dry_run

SAMPLES = 2000  # a spectrum costs the square of it in memory and its cube in time


@dataclass(eq=False)
class Recorder:
    """A mixer that mixes nothing and keeps the states at one point, (B, D) each, on the CPU."""

    point: int
    states: list[Tensor] = field(default_factory=list)

    @property
    def last_point_used(self) -> int:
        """The point."""
        return self.point

    def at(self, point: int, x: Tensor) -> Tensor:
        """x itself. x: (B, ...)."""
        if point == self.point:
            self.states.append(x.flatten(1).float().cpu())
        return x


def narrowest(model: nn.Module, *, shape: tuple[int, ...]) -> int:
    """The mix point after the input whose states have the fewest numbers, the first of equals."""
    found = widths(model, shape=shape)
    return min(found, key=found.__getitem__)


def widths(model: nn.Module, *, shape: tuple[int, ...]) -> dict[int, int]:
    """How many numbers the state of a sample of this shape has at each mix point after the input."""
    with evaluating(model):
        return {point: math.prod(state) for point, state in dry_run(model, shape=shape).items() if point > 0}


def states(model: nn.Module, split: Split, statistics: Statistics, *, point: int) -> tuple[Tensor, Tensor]:
    """The states at a mix point, (N, D), float32, and their labels, (N,), on the CPU.

    N counts the split's samples, or 2,000 drawn from it, which are the same for every network.
    """
    recorder, labels = Recorder(point), []
    chosen = _chosen(len(split)).to(split.y.device)
    with evaluating(model), torch.inference_mode():
        for start, (x, y) in zip(range(0, len(split), BATCH), split.batches(BATCH), strict=True):
            here = chosen[start : start + BATCH]
            if here.any():
                model(normalise(x[here], statistics), recorder)
                labels.append(y[here].cpu())
    return torch.cat(recorder.states), torch.cat(labels)


def sample(split: Split) -> Split:
    """2,000 samples of the split in its order, or all, the same for every network: only they are read."""
    return split.take(_chosen(len(split)).nonzero().flatten().to(split.x.device))


def _chosen(size: int) -> Tensor:
    order = generator(seed=0, purpose="subset", epoch=0).permutation(size)
    chosen = torch.zeros(size, dtype=torch.bool)
    chosen[torch.from_numpy(order[:SAMPLES])] = True
    return chosen
