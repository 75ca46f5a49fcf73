"""The training loop of many small networks at once: a generator of epochs."""

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import assert_never

import torch
from torch import Tensor

from mmix.data.loader import Batch
from mmix.errors import Diverged
from mmix.mixing.confmix import Pending
from mmix.mixing.plan import Plan
from mmix.mixing.policy import Draw
from mmix.mixing.stacked import Stacked, stack
from mmix.mixing.tables import Tables
from mmix.models.batched import Batched
from mmix.training.confidence import BATCH, alpha_metrics
from mmix.training.loop import Epoch
from mmix.training.optimiser import rate, set_rate
from mmix.training.precision import autocast
from mmix.training.realisations import Block, Learners


@dataclass(frozen=True, eq=False)
class Batches:
    """A batch of each of n networks. x: (n, B, D). y and index: (n, B), int64."""

    x: Tensor
    y: Tensor
    index: Tensor | None


def train(learners: Learners, *, done: int) -> Iterator[Epoch]:
    """Trains the epochs that are left after `done` of them, and yields after each; loss and accuracy are means.

    Block after block within each epoch: a block's weights and moments stay in the cache for its steps.

    Raises: Diverged where the loss of a network is not a finite number, which ends the training of all.
    """
    for epoch in range(done, learners.spec.epochs):
        yield _epoch(learners, epoch)


def step(learners: Learners, block: Block, batches: Batches, plan: Stacked) -> tuple[Tensor, Tensor]:
    """One update of the block's networks; the mean loss and the accuracy of each, (n,), on the device."""
    with autocast(learners.spec.precision, learners.device):
        logits = block.model(batches.x, plan)
    losses = plan.losses(learners.criterion, logits, batches.y)
    block.optimiser.zero_grad(set_to_none=True)
    losses.sum().backward()  # type: ignore[no-untyped-call] # each weight is in one network's loss alone
    if learners.spec.clip_norm is not None:
        clip(block.model, learners.spec.clip_norm)
    block.optimiser.step()
    return losses.detach(), plan.accuracies(logits.detach(), batches.y)


def clip(model: Batched, norm: float) -> None:
    """Shortens the gradient of each network to this norm where it is longer, as torch's `clip_grad_norm_` does."""
    gradients = [parameter.grad for parameter in model.parameters() if parameter.grad is not None]
    lengths = torch.stack([gradient.flatten(1).norm(dim=1) for gradient in gradients]).norm(dim=0)
    factor = (norm / (lengths + 1e-6)).clamp(max=1)
    for gradient in gradients:
        gradient.mul_(factor[:, None, None])


def _epoch(learners: Learners, epoch: int) -> Epoch:
    start = time.perf_counter()
    lr = rate(learners.spec.schedule, lr=learners.spec.optimiser.lr, epoch=epoch, epochs=learners.spec.epochs)
    found = [_block_epoch(learners, block, epoch, lr) for block in learners.blocks]
    sizes = learners.loaders[0].sizes
    loss, accuracy = _means(torch.cat([outcomes for outcomes, _ in found], dim=2), learners, epoch)
    alphas = [alpha for _, asked in found for alpha in asked]
    seconds = time.perf_counter() - start
    images = sum(sizes) * len(learners.seeds)
    return Epoch(epoch + 1, lr, loss, accuracy, images, seconds, alpha_metrics(alphas))


def _block_epoch(learners: Learners, block: Block, epoch: int, lr: float) -> tuple[Tensor, list[Tensor]]:
    """The loss and accuracy of each step and network, (steps, 2, n), on the device, and the alphas that were drawn."""
    set_rate(block.optimiser, lr)
    outcomes: list[Tensor] = []
    alphas: list[Tensor] = []
    for batches, draws in zip(_batches(learners, block, epoch), _draws(learners, block, epoch), strict=True):
        plans = [*_plans(learners, block, batches, draws, alphas)]
        outcomes.append(torch.stack(step(learners, block, batches, stack(plans))))
    _remember(learners, block)
    return torch.stack(outcomes), alphas


def _draws(learners: Learners, block: Block, epoch: int) -> Iterator[tuple[Draw, ...]]:
    """For each step, what each network of the block has drawn: from its own seed, as if it were alone."""
    found = [
        learners.policy.epoch(Tables(seed, epoch, loader.sizes, learners.device))
        for seed, loader in zip(learners.seeds[block.places], learners.loaders[block.places], strict=True)
    ]
    return zip(*found, strict=True)


def _plans(
    learners: Learners, block: Block, batches: Batches, draws: Sequence[Draw], alphas: list[Tensor]
) -> Iterator[Plan]:
    """The networks' plans; alphas of those that waited for a confidence are added to the list."""
    pending = [draw for draw in draws if isinstance(draw, Pending)]
    confidences: Iterator[Tensor] = iter(_confidence(learners, block, batches, pending[0]) if pending else [])
    for draw in draws:
        match draw:
            case Plan():
                yield draw
            case Pending():
                alphas.append(draw.alpha(next(confidences)))
                yield draw.plan(alphas[-1])
            case _:
                assert_never(draw)


def _confidence(learners: Learners, block: Block, batches: Batches, pending: Pending) -> Tensor:
    """Each network's confidence in the samples of its batch, fresh or remembered. (n, B)."""
    if pending.confidence == "step":
        return _asked(learners, block, batches.x)
    assert learners.memory is not None
    assert batches.index is not None
    return learners.memory[block.places].gather(1, batches.index)


def _remember(learners: Learners, block: Block) -> None:
    """Asks the networks about all their training samples, and keeps the answers where that is asked."""
    if learners.memory is None:
        return
    memory = learners.memory[block.places]
    for batches in _stacked(zip(*(loader.clean(BATCH) for loader in learners.loaders[block.places]), strict=True)):
        assert batches.index is not None
        memory.scatter_(1, batches.index, _asked(learners, block, batches.x))


def _asked(learners: Learners, block: Block, x: Tensor) -> Tensor:
    """The largest softmax probabilities, (n, B), float32. x: (n, B, D)."""
    with torch.no_grad(), autocast(learners.spec.precision, learners.device):
        logits = block.model(x)
    probabilities: Tensor = logits.float().softmax(2)
    return probabilities.amax(2)


def _batches(learners: Learners, block: Block, epoch: int) -> Iterator[Batches]:
    loaders = learners.loaders[block.places]
    first = _stacked(zip(*(loader.epoch(epoch) for loader in loaders), strict=True))
    if not learners.two_batches:
        return first
    second = _stacked(zip(*(loader.epoch(epoch, purpose="second_order") for loader in loaders), strict=True))
    return map(_joined, first, second)


def _stacked(steps: Iterable[tuple[Batch, ...]]) -> Iterator[Batches]:
    for batches in steps:
        indices = [batch.index for batch in batches if batch.index is not None]
        yield Batches(
            x=torch.stack([batch.x for batch in batches]),
            y=torch.stack([batch.y for batch in batches]),
            index=torch.stack(indices) if indices else None,
        )


def _joined(first: Batches, second: Batches) -> Batches:
    """Two batches as one of 2B; nothing that takes two asks for the indices."""
    return Batches(torch.cat([first.x, second.x], dim=1), torch.cat([first.y, second.y], dim=1), index=None)


def _means(outcomes: Tensor, learners: Learners, epoch: int) -> tuple[float, float]:
    """Mean loss and accuracy over all samples and networks. outcomes: (steps, 2, n).

    Raises: Diverged with the first step, and its first network, whose loss is not a finite number.
    """
    values = outcomes.double().cpu()
    lost = (~values[:, 0].isfinite()).nonzero().tolist()
    if lost:
        number, place = lost[0]
        raise Diverged(
            f"the training loss of realisation {place} (seed {learners.seeds[place]}) is "
            f"{values[number, 0, place].item()} in epoch {epoch + 1}, step {number + 1} of {len(values)}: "
            "lower training.optimiser.lr; no realisation has results"
        )
    weights = torch.tensor(learners.loaders[0].sizes, dtype=torch.float64)
    loss, accuracy = (weights @ values.mean(2) / weights.sum()).tolist()
    return loss, accuracy
