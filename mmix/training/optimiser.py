"""The optimiser and the learning rate of each epoch."""

import math
from collections.abc import Iterable
from typing import assert_never

import torch
from torch import nn

from mmix.spec.optimisation import Adam, Cosine, Optimiser, Schedule, Sgd, Step


def optimiser(spec: Optimiser, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
    """The optimiser of all parameters; weight decay acts on all of them, as in the authors' code.

    Fused: one pass over all parameters, which in fp16 also finds out by itself, on the device, what is to be skipped.
    """
    match spec:
        case Sgd():
            return _sgd(spec, parameters)
        case Adam():
            return torch.optim.Adam(
                parameters,
                lr=spec.lr,
                betas=(spec.beta1, spec.beta2),
                eps=spec.eps,
                weight_decay=spec.weight_decay,
                fused=True,
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


def _sgd(spec: Sgd, parameters: Iterable[nn.Parameter]) -> torch.optim.SGD:
    chosen = torch.optim.SGD(
        parameters,
        lr=spec.lr,
        momentum=spec.momentum,
        nesterov=spec.nesterov,
        weight_decay=spec.weight_decay,
        fused=True,
    )
    if spec.momentum:
        # torch makes these in the first step, without values; where fp16 skips that step they would stay so.
        for parameter in chosen.param_groups[0]["params"]:
            chosen.state[parameter]["momentum_buffer"] = torch.zeros_like(parameter)
    return chosen
