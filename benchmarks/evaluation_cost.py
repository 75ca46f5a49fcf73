"""Which share of a run of 30 epochs goes to evaluation; about two minutes.

Timed in turn are one epoch of training on 2,500 images, the predictions on 500 and their metrics after it, and the
assessment of the last network on 500: all metrics of predictions, the gradients at the inputs and FGSM at its four
default strengths. That is a twentieth of CIFAR-10. Every part takes time in proportion to its images, so the share of a
whole run is that of these: 30 predictions and one assessment by 30 epochs more. Reading the data and checkpoints is
left out of both.
"""

import time
from collections.abc import Callable, Iterator
from typing import Any

import torch

from benchmarks import subjects
from benchmarks.figures import Figure, over
from mmix.evaluation.assess import assess
from mmix.evaluation.metrics import metrics
from mmix.evaluation.predict import predict
from mmix.training.loop import train
from mmix.training.memory import keep_memory
from mmix.training.precision import repeatable

GOAL, EPOCHS, ROUNDS = 0.2, 30, 5
TRAIN_IMAGES, TEST_IMAGES = 2_500, 500
CASES = (
    ("convnet", subjects.CONVNET, 250, "fp32"),
    ("convnet", subjects.CONVNET, 250, "bf16"),
    ("PreActResNet18 width 16", subjects.preact_resnet(16), 100, "fp32"),
    ("PreActResNet18 width 16", subjects.preact_resnet(16), 100, "bf16"),
)


def figures() -> Iterator[Figure]:
    """The share of each network and precision; Manifold Mixup on layers 0 to 2."""
    keep_memory()
    with repeatable(device=torch.device("cpu"), threads=subjects.THREADS):
        for name, model, batch_size, precision in CASES:
            round_of_all = _round(model, batch_size, precision)
            round_of_all()
            shares = [round_of_all() for _ in range(ROUNDS)]
            yield over(f"{name} {precision}: evaluation", shares, "of 30 epochs", goal=GOAL, sense="<=")


def _round(model: dict[str, Any], batch_size: int, precision: str) -> Callable[[], float]:
    spec = subjects.spec(model, batch_size=batch_size, mixing=subjects.MANIFOLD, precision=precision)
    data = subjects.images(TRAIN_IMAGES, test=TEST_IMAGES)
    learner = subjects.learner(spec, data)
    epochs = train(learner, done=0)

    def share() -> float:
        trained = _seconds(lambda: next(epochs))
        predicted = _seconds(lambda: metrics(predict(learner.model, data.test, data.statistics), data.test.y))
        assessed = _seconds(lambda: assess(learner.model, data, spec, seed=0, strange={}, folder=None))
        evaluation = EPOCHS * predicted + assessed
        return evaluation / (EPOCHS * trained + evaluation)

    return share


def _seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start
