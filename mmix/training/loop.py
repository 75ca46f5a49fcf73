"""The training loop: a generator of epochs."""

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from mmix.data.loader import Loader
from mmix.errors import Diverged
from mmix.mixing.plan import Criterion, Plan
from mmix.mixing.policy import Policy
from mmix.models.staged import Staged
from mmix.spec.optimisation import Training
from mmix.training.optimiser import rate, set_rate
from mmix.training.precision import autocast


@dataclass(frozen=True, eq=False)
class Learner:
    """Everything that one training needs; the network and the optimiser change while it runs."""

    spec: Training
    seed: int
    device: torch.device
    model: Staged
    optimiser: torch.optim.Optimizer
    criterion: Criterion
    policy: Policy | None
    loader: Loader


@dataclass(frozen=True)
class Epoch:
    """What one epoch came to. `number` counts the epochs done; `accuracy` is weighted by lambda."""

    number: int
    lr: float
    loss: float
    accuracy: float
    images: int
    seconds: float


def train(learner: Learner, *, done: int) -> Iterator[Epoch]:
    """Trains the epochs that are left after `done` of them, and yields after each.

    Raises: Diverged where an epoch's mean loss is not a finite number.
    """
    for epoch in range(done, learner.spec.epochs):
        yield _epoch(learner, epoch)


def step(learner: Learner, x: Tensor, y: Tensor, plan: Plan | None) -> tuple[Tensor, Tensor]:
    """One update of the weights; the batch's mean loss and accuracy, on the device.

    x: (B, C, H, W), normalised. y: (B,), int64.
    """
    with autocast(learner.spec.precision, learner.device):
        logits = learner.model(x, plan)
    loss = learner.criterion(logits, y).mean() if plan is None else plan.loss(learner.criterion, logits, y)
    learner.optimiser.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    learner.optimiser.step()
    accuracy = (logits.argmax(1) == y).float().mean() if plan is None else plan.accuracy(logits, y)
    return loss.detach(), accuracy


def _epoch(learner: Learner, epoch: int) -> Epoch:
    start = time.perf_counter()
    schedule, sgd = learner.spec.schedule, learner.spec.optimiser
    lr = rate(schedule, lr=sgd.lr, epoch=epoch, epochs=learner.spec.epochs)
    set_rate(learner.optimiser, lr)
    learner.model.train()
    sizes = learner.loader.sizes
    outcomes = [
        step(learner, x, y, plan)
        for (x, y), plan in zip(learner.loader.epoch(epoch), _plans(learner, epoch), strict=True)
    ]
    loss, accuracy = _means(outcomes, sizes)
    if not math.isfinite(loss):
        raise Diverged(f"the training loss of epoch {epoch + 1} is {loss}: lower training.optimiser.lr")
    return Epoch(epoch + 1, lr, loss, accuracy, sum(sizes), time.perf_counter() - start)


def _plans(learner: Learner, epoch: int) -> tuple[Plan | None, ...]:
    sizes = learner.loader.sizes
    if learner.policy is None:
        return (None,) * len(sizes)
    return learner.policy.epoch(seed=learner.seed, epoch=epoch, sizes=sizes, device=learner.device)


def _means(outcomes: list[tuple[Tensor, Tensor]], sizes: tuple[int, ...]) -> tuple[float, float]:
    """Means over all samples. Read from the device once an epoch: reading each batch would stall a GPU."""
    values = torch.stack([torch.stack(outcome) for outcome in outcomes]).double().cpu()
    weights = torch.tensor(sizes, dtype=torch.float64)
    loss, accuracy = (weights @ values / weights.sum()).tolist()
    return loss, accuracy
