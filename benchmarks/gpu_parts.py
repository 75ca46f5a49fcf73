"""The GPU's measurements, one by one; each stands by itself and yields what it finds as it finds it."""

import math
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice
from unittest.mock import patch

import torch
from torch._dynamo.utils import counters

from benchmarks import subjects
from benchmarks.figures import Figure, in_turn, over
from benchmarks.gpu_reference import plain
from benchmarks.gpu_subject import KINDS, Subject
from benchmarks.steps import drawn, planned
from mmix.evaluation.metrics import error
from mmix.evaluation.predict import predict
from mmix.spec.experiment import ExperimentSpec
from mmix.training import compilation
from mmix.training.learner import Learner, state
from mmix.training.loop import Epoch, step, train
from mmix.training.precision import repeatable

EPOCHS = 200  # Source: the length of the training whose time the goal bounds
SPEEDS = ((100, 35_000), (512, 45_000))
"""Batch sizes, and how many images a second PreActResNet18 is to train with each in bf16."""

COMPARED_EPOCHS, COMPARED_SEEDS = 30, 5
T_95 = 2.306  # Student's t at 97.5 % for two groups of five seeds, 8 degrees of freedom


def throughput(subject: Subject) -> Iterator[Figure]:
    """Images a second of whole epochs, as the training loop counts them; the first, which compiles, is left out."""
    for batch_size, goal in SPEEDS[: 1 if subject.quick else None]:
        trained = subject.learner(subject.spec(batch_size=batch_size))
        epochs = _epochs(trained, 1 + subject.rounds(10))[1:]
        values = [epoch.images / epoch.seconds for epoch in epochs]
        yield over(f"bf16_batch_{batch_size}", values, "images/s", goal=goal)


def against_plain(subject: Subject) -> Iterator[Figure]:
    """How many times as fast as a plain loop in the manner of the authors' code, in fp32, with two loading workers."""
    trained = subject.learner(subject.spec())
    ours, theirs = _rate(trained), plain(subject, batches=4 if subject.quick else 100)
    pairs = in_turn(ours, theirs, rounds=subject.rounds(5))
    yield over("against_plain_loop", [one / other for one, other in pairs], "times", goal=6)
    yield over("plain_loop", [other for _, other in pairs], "images/s")


def overhead(subject: Subject) -> Iterator[Figure]:
    """The time of an epoch with Manifold Mixup over one without."""
    mixed, erm = (_rate(subject.learner(subject.spec(mixing))) for mixing in (subjects.MANIFOLD, {"kind": "erm"}))
    pairs = in_turn(mixed, erm, rounds=subject.rounds(7))
    yield over("mixing_over_erm", [other / one for one, other in pairs], "of the time", goal=1.03, sense="<=")


def whole_training(subject: Subject) -> Iterator[Figure]:
    """A training of 200 epochs with an evaluation after each: trained where the data are real, else extrapolated."""
    whole = subject.real and not subject.quick
    trained = subject.learner(subject.spec(epochs=EPOCHS, schedule={"kind": "cosine"}))
    seconds, wrong = [], math.nan
    start = time.perf_counter()
    for _ in _first(trained, EPOCHS if whole else 1 + subject.rounds(5)):
        wrong = _error(trained, subject)
        seconds.append(time.perf_counter() - start)
        start = time.perf_counter()
    if whole:
        yield over("cifar10_200_epochs", [sum(seconds)], "s", goal=300, sense="<=")
        yield over("cifar10_200_epochs_error", [wrong], "of the test images")
    else:
        told = seconds[0] + (EPOCHS - 1) * statistics.median(seconds[1:])
        yield over("200_epochs_extrapolated", [told], "s", goal=300, sense="<=")


def start_up(subject: Subject) -> Iterator[Figure]:
    """From a fresh process to the end of its first epoch's first steps, once the cache of compiled code is warm."""
    command = [sys.executable, "-m", "benchmarks.gpu", "--first-steps", "--device", str(subject.device)]
    seconds = []
    for _ in range(1 if subject.quick else 4):
        start = time.perf_counter()
        subprocess.run([*command, *(["--quick"] if subject.quick else [])], check=True, stdout=subprocess.DEVNULL)
        seconds.append(time.perf_counter() - start)
    yield over("start_up_first", seconds[:1], "s")
    if not subject.quick:
        yield over("start_up_warm", seconds[1:], "s", goal=60, sense="<=")


def precision(subject: Subject) -> Iterator[Figure]:
    """The difference of the final errors of bf16 and fp32 over the half width of its 95 % interval, over five seeds."""
    found = {}
    for kind in ("bf16", "fp32"):
        spec = subject.spec(precision=kind, epochs=COMPARED_EPOCHS, schedule={"kind": "cosine"})
        found[kind] = [_final_error(subject, spec, seed) for seed in range(COMPARED_SEEDS)]
        yield over(f"{kind}_error_after_{COMPARED_EPOCHS}_epochs", found[kind], "of the test images")
    difference = abs(statistics.mean(found["bf16"]) - statistics.mean(found["fp32"]))
    half_width = T_95 * math.sqrt(sum(map(statistics.variance, found.values())) / COMPARED_SEEDS)
    yield over("bf16_against_fp32", [difference / half_width], "of the interval", goal=1, sense="<=")


def synchronisation(subject: Subject) -> Iterator[Figure]:
    """How many mixing kinds train an epoch's steps without once waiting for the device."""
    for name, kind in KINDS.items():
        trained = subject.learner(subject.spec(kind, compile="off"))
        trained.model.train()
        list(_stepped(trained, epoch=0, count=3))
        batches = drawn(trained, 1)
        first = next(batches)  # the epoch's tables go to the device here, once an epoch
        with _no_waiting(subject.device):
            for batch, draw in [first, *([] if subject.quick else batches)]:
                step(trained, batch, planned(trained, batch, draw))
        yield over(f"without_waiting_{name}", [1], "yes", goal=1)


def equality(subject: Subject) -> Iterator[Figure]:
    """Losses of the first ten steps in fp32: uncompiled, compiled, and as CUDA graphs."""
    eager = _losses(subject, subject.spec(precision="fp32", compile="off"))
    with patch.object(compilation, "GRAPHED_SAMPLES", 0):
        default = _losses(subject, subject.spec(precision="fp32"))
    before = counters["inductor"]["cudagraph_skips"]
    graphed = _losses(subject, subject.spec(precision="fp32"))
    skipped = counters["inductor"]["cudagraph_skips"] - before
    yield over("networks_not_run_as_cuda_graphs", [skipped], "graphs", goal=0, sense="<=")
    # Fused kernels sum in another order; ten steps let the last bits grow.
    yield over("compiled_against_eager", [_apart(default, eager)], "of the loss", goal=1e-3, sense="<=")
    # The same kernels on the same numbers: replaying them changes nothing.
    yield over("cuda_graphs_against_compiled", [_apart(graphed, default)], "of the loss", goal=0, sense="<=")


def repetition(subject: Subject) -> Iterator[Figure]:
    """Whether two trainings of one seed end in the same bits."""
    ends = []
    for _ in range(2):
        trained = subject.learner(subject.spec())
        _epochs(trained, 1)
        ends.append(state(trained))
    same = all(torch.equal(ends[0][name], ends[1][name]) for name in ends[0])
    yield over("repeats_bit_for_bit", [float(same)], "yes", goal=1)


def first_steps(subject: Subject) -> None:
    """What a child process does to show how long a run needs to get going: every way of mixing, once and again."""
    trained = subject.learner(subject.spec())
    list(_stepped(trained, epoch=0, count=8 if subject.quick else 30))
    _synchronised(subject.device)


PARTS: dict[str, Callable[[Subject], Iterator[Figure]]] = {
    "throughput": throughput,
    "against_plain": against_plain,
    "overhead": overhead,
    "whole_training": whole_training,
    "start_up": start_up,
    "synchronisation": synchronisation,
    "equality": equality,
    "repetition": repetition,
    "precision": precision,
}
NEED_DATA = ("precision",)


def _first(trained: Learner, count: int) -> Iterator[Epoch]:
    with repeatable(device=trained.device, threads=None):
        yield from islice(train(trained, done=0), count)


def _epochs(trained: Learner, count: int) -> list[Epoch]:
    return list(_first(trained, count))


def _rate(trained: Learner) -> Callable[[], float]:
    """Measures the next epoch, in images a second."""
    epochs = train(trained, done=0)

    def rate() -> float:
        with repeatable(device=trained.device, threads=None):
            epoch = next(epochs)
        return epoch.images / epoch.seconds

    return rate


def _stepped(trained: Learner, *, epoch: int, count: int) -> Iterator[torch.Tensor]:
    trained.model.train()
    for batch, draw in islice(drawn(trained, epoch), count):
        yield step(trained, batch, planned(trained, batch, draw))[0]


def _losses(subject: Subject, spec: ExperimentSpec) -> list[float]:
    with repeatable(device=subject.device, threads=None):
        trained = subject.learner(spec)
        losses: list[float] = torch.stack(list(_stepped(trained, epoch=0, count=10))).tolist()
    return losses


def _apart(one: list[float], other: list[float]) -> float:
    return max(abs(a - b) / abs(b) for a, b in zip(one, other, strict=True))


def _final_error(subject: Subject, spec: ExperimentSpec, seed: int) -> float:
    trained = subject.learner(spec, seed=seed)
    _epochs(trained, spec.training.epochs)
    return _error(trained, subject)


def _error(trained: Learner, subject: Subject) -> float:
    test, statistics_ = subject.data.test.to(subject.device), subject.data.statistics.to(subject.device)
    return error(predict(trained.model, test, statistics_), test.y)


def _synchronised(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


@contextmanager
def _no_waiting(device: torch.device) -> Iterator[None]:
    """Makes whatever waits for the device an error; a CPU has nobody to wait for."""
    if device.type != "cuda":
        yield
        return
    torch.cuda.synchronize(device)
    torch.cuda.set_sync_debug_mode("error")
    try:
        yield
    finally:
        torch.cuda.set_sync_debug_mode("default")
