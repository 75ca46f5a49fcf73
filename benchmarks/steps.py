"""A learner and single training steps of any spec, as the training loop takes them, for whoever measures steps."""

from collections.abc import Iterator
from itertools import count
from typing import assert_never

import torch

from mmix.data.dataset import Dataset
from mmix.data.loader import Batch
from mmix.data.loading import loader
from mmix.mixing.confmix import Pending
from mmix.mixing.plan import Plan
from mmix.mixing.policy import Draw
from mmix.mixing.tables import Tables
from mmix.models.build import build
from mmix.spec.experiment import ExperimentSpec
from mmix.training.compilation import compile_network
from mmix.training.confidence import confidence
from mmix.training.learner import Learner, prepare
from mmix.training.loop import step


def learner(
    spec: ExperimentSpec, data: Dataset, *, device: torch.device, seed: int = 0, backend: str | None = None
) -> Learner:
    """What a run of the spec trains with on a device. backend: of torch.compile, to rehearse without a compiler."""
    classes = len(data.classes)
    network = build(spec.model, shape=data.shape, classes=classes, seed=seed).to(device)
    batches = loader(data, spec.data, batch_size=spec.training.batch_size, seed=seed, device=device)
    made = compile_network(network, spec, shape=data.shape, images=batches.images, device=device, backend=backend)
    return prepare(
        spec,
        seed=seed,
        model=network,
        loader=batches,
        shape=data.shape,
        classes=classes,
        device=device,
        compilation=made,
    )


def steps(learner: Learner) -> Iterator[int]:
    """Takes a step whenever it is asked for the next one, and says on how many samples; epochs follow each other."""
    learner.model.train()
    for epoch in count():
        for batch, draw in drawn(learner, epoch):
            step(learner, batch, planned(learner, batch, draw))
            yield len(batch.y)


def drawn(learner: Learner, epoch: int) -> Iterator[tuple[Batch, Draw]]:
    """An epoch's batches, each with its draw."""
    first = learner.loader.epoch(epoch)
    draws = learner.policy.epoch(Tables(learner.seed, epoch, learner.loader.sizes, learner.device))
    if not learner.two_batches:
        return zip(first, draws, strict=True)
    second = learner.loader.epoch(epoch, purpose="second_order")
    return zip(map(_joined, first, second), draws, strict=True)


def planned(learner: Learner, batch: Batch, draw: Draw) -> Plan:
    """The plan of a batch, for which ConfMix asks the network."""
    match draw:
        case Plan():
            return draw
        case Pending():
            return draw.plan(draw.alpha(confidence(learner, batch, draw)))
        case _:
            assert_never(draw)


def _joined(first: Batch, second: Batch) -> Batch:
    return Batch(torch.cat([first.x, second.x]), torch.cat([first.y, second.y]), index=None)
