"""How sure the network is of each sample, which ConfMix asks."""

from itertools import pairwise

import torch
from torch import Tensor

from mmix.data.loader import Batch
from mmix.mixing.confmix import Pending
from mmix.training.learner import Learner
from mmix.training.precision import autocast
from mmix.training.ranks import ALONE, Ranks

BATCH = 500  # fixed: another batch size may change the last bit of a sum
BINS = 5


def confidence(learner: Learner, batch: Batch, pending: Pending) -> Tensor:
    """The confidence in each of the batch's samples, fresh or remembered, as the pending plan asks. (B,)."""
    if pending.confidence == "step":
        return _asked(learner, batch.x)
    assert learner.memory is not None
    assert batch.index is not None
    return learner.memory[batch.index]


def remember(learner: Learner) -> None:
    """Asks the network about all training samples, without augmentation, and keeps the answers where that is asked.

    Ranks take turns, each with whole batches of the same samples whatever their number, and tell each other.
    """
    if learner.memory is None:
        return
    found = torch.zeros_like(learner.memory)
    for number, batch in enumerate(learner.loader.clean(BATCH)):
        assert batch.index is not None
        if number % learner.ranks.count == learner.ranks.rank:
            found[batch.index] = _asked(learner, batch.x)
    learner.memory.copy_(learner.ranks.sum(found))  # a number and zeros: the sum is exact


def alpha_metrics(alphas: list[Tensor], ranks: Ranks = ALONE) -> dict[str, float]:
    """The mean of an epoch's alphas, and the share of them in each fifth of [0, 1]; nothing where there are none."""
    if not alphas:
        return {}
    values = torch.cat(alphas)
    counted = torch.histc(values, bins=BINS, min=0, max=1).double()
    sums = torch.cat([counted, values.double().sum()[None], counted.new_tensor([len(values)])])
    *counts, total, images = ranks.sum(sums).tolist()
    shares = [count / images for count in counts]
    edges = pairwise(f"{place / BINS:.1f}" for place in range(BINS + 1))
    named = {f"confmix_alpha_share@{low}-{high}": share for (low, high), share in zip(edges, shares, strict=True)}
    return {"confmix_alpha": total / images} | named


def _asked(learner: Learner, x: Tensor) -> Tensor:
    """The largest softmax probability, (B,), float32; with the running statistics of BN, which stay as they are.

    Differs: the manuscript doesn't say in which mode the network is asked.
    """
    learner.model.eval()
    passing = learner.compilation.passing("confidence", samples=len(x))
    with passing, torch.no_grad(), autocast(learner.spec.precision, learner.device):
        logits = learner.model(x)
    learner.model.train()
    probabilities: Tensor = logits.float().softmax(1)
    return probabilities.amax(1)
