"""What mixing adds to a step of plain training; about three minutes.

Epochs of both are timed in turn in one process, float32, with the loader. ConfMix is past its warm-up and asks the
network in every step how sure it is, which is a forward pass more.
"""

from collections.abc import Iterator
from functools import partial
from typing import Any

import torch

from benchmarks import subjects
from benchmarks.figures import Figure, in_turn, over
from mmix.training.learner import Learner
from mmix.training.loop import train
from mmix.training.memory import keep_memory
from mmix.training.precision import repeatable

ERM: dict[str, Any] = {"kind": "erm"}
INPUT: dict[str, Any] = {"kind": "input_mixup", "alpha": 1.0}
CONFMIX: dict[str, Any] = {"kind": "confmix", "warmup_epochs": 0}
CONVNET, RESNET = (
    ("convnet", subjects.CONVNET, 250, 20),
    ("PreActResNet18 width 16", subjects.preact_resnet(16), 100, 8),
)
ROUNDS = 11
CASES = (
    (*CONVNET, "input mixup", INPUT, 1.03),
    (*CONVNET, "manifold mixup", subjects.MANIFOLD, 1.03),
    (*CONVNET, "ConfMix", CONFMIX, 1.45),
    (*RESNET, "input mixup", INPUT, 1.03),
    (*RESNET, "manifold mixup", subjects.MANIFOLD, 1.03),
)


def figures() -> Iterator[Figure]:
    """The time of a method's step by that of plain training."""
    keep_memory()
    with repeatable(device=torch.device("cpu"), threads=subjects.THREADS):
        for name, model, batch_size, batches, method, mixing, goal in CASES:
            both = [_learner(model, batch_size, batches, each) for each in (mixing, ERM)]
            mixed, plain = (partial(_seconds, train(learner, done=0)) for learner in both)
            ratios = [one / other for one, other in in_turn(mixed, plain, rounds=ROUNDS)]
            yield over(f"{name}: step of {method} / of ERM", ratios, "times", goal=goal, sense="<=")


def _learner(model: dict[str, Any], batch_size: int, batches: int, mixing: dict[str, Any]) -> Learner:
    data = subjects.images(batches * batch_size)
    return subjects.learner(subjects.spec(model, batch_size=batch_size, mixing=mixing), data)


def _seconds(epochs: Iterator[Any]) -> float:
    return float(next(epochs).seconds)
