"""The optimiser and the learning rate of each epoch."""

import math
from collections.abc import Iterable
from typing import assert_never

import torch
from torch import nn

from mmix.spec.optimisation import Adam, Cosine, Optimiser, Schedule, Sgd, Step


def optimiser(spec: Optimiser, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
    """The optimiser of all parameters; weight decay acts on all of them, as in the authors' code."""
    match spec:
        case Sgd():
            return torch.optim.SGD(
                parameters,
                lr=spec.lr,
                momentum=spec.momentum,
                nesterov=spec.nesterov,
                weight_decay=spec.weight_decay,
            )
        case Adam():
            return torch.optim.Adam(
                parameters,
                lr=spec.lr,
                betas=(spec.beta1, spec.beta2),
                eps=spec.eps,
                weight_decay=spec.weight_decay,
            )
        case _:
            assert_never(spec)


def rate(schedule: Schedule, *, lr: float, epoch: int, epochs: int) -> float:
    """The learning rate of an epoch, which is counted from 0; a pure function, so resuming needs no state."""
    match schedule:
        case Step():
            return lr * schedule.factor ** sum(milestone <= epoch for milestone in schedule.milestones)
        case Cosine():
            return lr * 0.5 * (1 + math.cos(math.pi * epoch / epochs))
        case _:
            assert_never(schedule)


def set_rate(chosen: torch.optim.Optimizer, lr: float) -> None:
    """Gives all parameters this learning rate."""
    for group in chosen.param_groups:
        group["lr"] = lr
