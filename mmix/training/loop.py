"""The training loop: a generator of epochs."""

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import assert_never

import torch
from torch import Tensor, nn

from mmix.data.loader import Batch
from mmix.errors import Diverged
from mmix.mixing.confmix import Pending
from mmix.mixing.plan import Plan
from mmix.mixing.policy import Draw
from mmix.mixing.tables import Tables
from mmix.training.compilation import explained
from mmix.training.confidence import alpha_metrics, confidence, remember
from mmix.training.learner import Learner
from mmix.training.optimiser import rate, set_rate
from mmix.training.precision import autocast, chance


@dataclass(frozen=True)
class Epoch:
    """What one epoch came to. `number` counts the epochs done; `accuracy` is weighted by lambda.

    `mixing` has what the method says of itself: for ConfMix the mean alpha and its histogram.
    """

    number: int
    lr: float
    loss: float
    accuracy: float
    images: int
    seconds: float
    mixing: dict[str, float] = field(default_factory=dict)


def train(learner: Learner, *, done: int) -> Iterator[Epoch]:
    """Trains the epochs that are left after `done` of them, and yields after each.

    Raises: Diverged where the loss of a step is not a finite number, SpecError where the network was to be compiled
        and can't be.
    """
    for epoch in range(done, learner.spec.epochs):
        with explained(), chance(seed=learner.seed, epoch=epoch, device=learner.device, group=learner.ranks.rank):
            trained = _epoch(learner, epoch)
        yield trained


def step(learner: Learner, batch: Batch, plan: Plan, *, size: int | None = None) -> tuple[Tensor, Tensor]:
    """One update of the weights; the mean loss and accuracy of the batch or of this rank's share, on the device.

    size: of the whole batch, where `batch` is a share of it.
    """
    # Gradients go before the pass: where it runs as a CUDA graph, it may write where those of the last step lie.
    learner.optimiser.zero_grad(set_to_none=True)
    # Asked with the whole batch's size, so that all ranks decide alike: else their talk may cross.
    passing = learner.compilation.passing("step", samples=len(batch.x) if size is None else size)
    with passing, autocast(learner.spec.precision, learner.device):
        logits = learner.stepped(batch.x, plan)
    loss = plan.loss(learner.criterion, logits, batch.y)
    # Ranks average their gradients: that is the gradient of the whole batch's mean if shares weigh what they hold.
    weight = 1.0 if size is None else _part(learner, size) * learner.ranks.count
    learner.scaler.scale(weight * loss).backward()  # type: ignore[no-untyped-call]
    if learner.spec.clip_norm is not None:
        learner.scaler.unscale_(learner.optimiser)
        nn.utils.clip_grad_norm_(learner.model.parameters(), learner.spec.clip_norm)
    learner.scaler.step(learner.optimiser)
    learner.scaler.update()
    return loss.detach(), plan.accuracy(logits.detach(), batch.y)


def _epoch(learner: Learner, epoch: int) -> Epoch:
    start = time.perf_counter()
    lr = rate(learner.spec.schedule, lr=learner.spec.optimiser.lr, epoch=epoch, epochs=learner.spec.epochs)
    set_rate(learner.optimiser, lr)
    learner.model.train()
    sizes = learner.loader.sizes
    draws = learner.policy.epoch(Tables(learner.seed, epoch, sizes, learner.device, learner.loader.shares))
    outcomes, alphas = _steps(learner, epoch, draws)
    learner.ranks.alike(learner.model)
    remember(learner)
    loss, accuracy = _means(outcomes, learner, epoch)
    seconds = time.perf_counter() - start
    return Epoch(epoch + 1, lr, loss, accuracy, sum(sizes), seconds, alpha_metrics(alphas, learner.ranks))


def _steps(learner: Learner, epoch: int, draws: Sequence[Draw]) -> tuple[list[tuple[Tensor, Tensor]], list[Tensor]]:
    """The loss and accuracy of each step, on the device, and what confidences came to where a draw waited for them."""
    outcomes: list[tuple[Tensor, Tensor]] = []
    alphas: list[Tensor] = []
    for batch, draw, size in zip(_batches(learner, epoch), draws, learner.loader.sizes, strict=True):
        match draw:
            case Plan():
                plan = draw
            case Pending():
                alphas.append(draw.alpha(confidence(learner, batch, draw)))
                plan = draw.plan(alphas[-1])
            case _:
                assert_never(draw)
        outcomes.append(step(learner, batch, plan, size=size))
    return outcomes, alphas


def _part(learner: Learner, size: int) -> float:
    """The part that this rank has of a batch of this size, in (0, 1]."""
    return learner.loader.shares.size(size) / size


def _batches(learner: Learner, epoch: int) -> Iterator[Batch]:
    batches = learner.loader.epoch(epoch)
    return (
        map(_joined, batches, learner.loader.epoch(epoch, purpose="second_order")) if learner.two_batches else batches
    )


def _joined(first: Batch, second: Batch) -> Batch:
    """Two batches as one of 2B; nothing that takes two asks for the indices."""
    return Batch(torch.cat([first.x, second.x]), torch.cat([first.y, second.y]), index=None)


def _means(outcomes: list[tuple[Tensor, Tensor]], learner: Learner, epoch: int) -> tuple[float, float]:
    """Mean loss and accuracy over all samples of all ranks. Read once an epoch: each step would stall a GPU.

    Raises: Diverged with the first step whose loss is not a finite number.
    """
    values = torch.stack([torch.stack(outcome) for outcome in outcomes]).double()
    parts = torch.tensor([_part(learner, size) for size in learner.loader.sizes], dtype=torch.float64)
    values = learner.ranks.sum(parts[:, None].to(values.device) * values).cpu()
    for number, value in enumerate(values[:, 0].tolist(), start=1):
        if not math.isfinite(value):
            raise Diverged(
                f"the training loss is {value} in epoch {epoch + 1}, step {number} of {len(outcomes)}: "
                "lower training.optimiser.lr"
            )
    weights = torch.tensor(learner.loader.sizes, dtype=torch.float64)
    loss, accuracy = (weights @ values / weights.sum()).tolist()
    return loss, accuracy
