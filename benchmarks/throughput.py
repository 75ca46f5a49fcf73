"""How many images a second mmix trains on, against a plain loop; about seven minutes.

Both train one network by Manifold Mixup on layers 0 to 2, each in a process of its own, in turn, on all cores. Of mmix
whole epochs are timed through its training loop, with loader, draws and all; of the plain loop batches, once its
workers are under way. mmix keeps memory between steps as its runs do; the plain loop has what glibc gives it. The goal
stands with the faster of the precisions that a spec may ask for; the plain loop knows float32 alone, as its authors.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch

from benchmarks import subjects
from benchmarks.aside import Measurement, aside
from benchmarks.figures import Figure, in_turn, over
from benchmarks.reference_loop import Reference, pictures, plain_loader, recommended_loader
from mmix.training.loop import train
from mmix.training.memory import keep_memory
from mmix.training.precision import repeatable

GOAL, HONEST = 2.0, 0.9
PRECISIONS = ("fp32", "bf16")
ROUNDS = 5


@dataclass(frozen=True)
class Subject:
    """A network, the size of its batches, how many of them a round counts, and how many the plain loop doesn't."""

    name: str
    model: dict[str, Any]
    batch_size: int
    batches: int
    uncounted: int = 9


SUBJECTS = (
    Subject("convnet", subjects.CONVNET, batch_size=250, batches=20),
    Subject("PreActResNet18 width 16", subjects.preact_resnet(16), batch_size=100, batches=15),
    # Next to its steps of a second, four batches that were prepared ahead are nothing.
    Subject("PreActResNet18 width 64", subjects.preact_resnet(64), batch_size=100, batches=3, uncounted=1),
)


def figures() -> Iterator[Figure]:
    """For each network the plain loop's images a second and by how much mmix is faster in each precision."""
    for subject in SUBJECTS:
        with ExitStack() as processes:
            plain = processes.enter_context(aside(partial(_reference, subject, recommended=False)))
            ours = {each: processes.enter_context(aside(partial(_ours, subject, each))) for each in PRECISIONS}
            pairs = {each: in_turn(ours[each], plain, rounds=ROUNDS) for each in PRECISIONS}
        yield from _compared(subject, pairs)
    for subject in SUBJECTS[:2]:  # the third spends hardly a hundredth of its time on data
        with (
            aside(partial(_reference, subject, recommended=False)) as plain,
            aside(partial(_reference, subject, recommended=True)) as other,
        ):
            ratios = [first / second for first, second in in_turn(plain, other, rounds=ROUNDS)]
        yield over(f"{subject.name}: plain loop / with torch's recommended loader", ratios, "times", goal=HONEST)


def _compared(subject: Subject, pairs: dict[str, list[tuple[float, float]]]) -> Iterator[Figure]:
    yield over(f"{subject.name}: plain loop", [plain for found in pairs.values() for _, plain in found], "images/s")
    for precision, found in pairs.items():
        yield over(f"{subject.name}: mmix {precision}", [ours for ours, _ in found], "images/s")
    medians = {each: over("", [ours / plain for ours, plain in pairs[each]], "times") for each in PRECISIONS}
    best = max(PRECISIONS, key=lambda each: medians[each].value)
    for precision, ratios in pairs.items():
        name = f"{subject.name}: mmix {precision} / plain loop"
        goal = GOAL if precision == best else None
        yield over(name, [ours / plain for ours, plain in ratios], "times", goal=goal)


def _spec(subject: Subject, **training: Any) -> Any:
    return subjects.spec(subject.model, batch_size=subject.batch_size, mixing=subjects.MANIFOLD, loss="bce", **training)


def _reference(subject: Subject, *, recommended: bool) -> Measurement:
    torch.set_num_threads(subjects.THREADS)
    split = subjects.images(50 * subject.batch_size).train
    make = recommended_loader if recommended else plain_loader
    loader = make(pictures(split.x, split.y), batch_size=subject.batch_size)
    loop = Reference(_spec(subject), loader, layers=(0, 1, 2), alpha=2.0)
    return partial(loop.images_per_second, subject.batches, uncounted=subject.uncounted)


def _ours(subject: Subject, precision: str) -> Measurement:
    keep_memory()
    data = subjects.images(subject.batches * subject.batch_size)
    epochs = train(subjects.learner(_spec(subject, precision=precision), data), done=0)

    def measure() -> float:
        with repeatable(device=torch.device("cpu"), threads=subjects.THREADS):
            epoch = next(epochs)
        return epoch.images / epoch.seconds

    return measure
