"""The toy family's training step, networks one at a time against eight at once, and how long its study takes.

Two threads; a network (2, 512, 512, 512, 5), batch 50, Adam, mixing at one layer with a lambda a sample. The plain loop
has everything it needs at hand, in a process of its own as Python starts one; the batched step draws its tables, too,
and mmix has glibc keep the memory of a step. What that alone gives the plain loop is told as well, without a goal.
The goal stands between what a plain loop does and the fastest that a spec may ask for, which is bfloat16.
The study is extrapolated from four of its runs, two at a time on a thread each. About a minute.
"""

import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from benchmarks import gemm, toy_study
from benchmarks.figures import Figure, in_turn, over
from benchmarks.toy_report import HIDDEN
from mmix.data.load import load
from mmix.data.loading import loader
from mmix.mixing.plan import Plan, blending
from mmix.models.build import build
from mmix.models.staged import Staged
from mmix.run.many import alone
from mmix.spec.experiment import ExperimentSpec
from mmix.spec.optimisation import Precision
from mmix.training.memory import keep_memory
from mmix.training.precision import autocast
from mmix.training.realisations import prepare
from mmix.training.realisations_loop import train

NETWORKS, BATCH, CLASSES, THREADS = 8, 50, 5, 2
STEPS = 20
"""Of each network in a measurement: an epoch of 1,000 points."""
ROUNDS = 7
GOAL = 2.0
SAMPLE = [
    toy_study.Task(arm, classes, first=toy_study.FAR * classes, count=toy_study.TOGETHER)
    for arm, classes in (("erm", 2), ("layer 0", 3), ("layer 1", 4), ("layer 3", 5))
]


def figures() -> Iterator[Figure]:
    """The steps' ratios in each precision and across; then the study's minutes and its share of GEMM."""
    torch.set_num_threads(THREADS)
    keep_memory()
    with _process(keeping=False) as stock, _process(keeping=True) as kept:
        found = {each: in_turn(_plain(stock, each), _batched(each), rounds=ROUNDS) for each in _PRECISIONS}
        yield from _steps(found)
        crossed = in_turn(_plain(stock, "fp32"), _batched("bf16"), rounds=ROUNDS)
        name = f"toy step: plain in fp32 over {NETWORKS} at once in bf16"
        yield over(name, [one / other for one, other in crossed], "times", goal=GOAL)
        for name, plain in (
            ("plain with kept memory", _plain(kept, "fp32")),
            ("and a fused Adam", _fused(kept, "fp32")),
        ):
            pairs = in_turn(plain, _batched("fp32"), rounds=ROUNDS)
            yield over(f"toy step, fp32: {name}, over at once", [one / other for one, other in pairs], "times")
    yield from _study()


_PRECISIONS: tuple[Precision, ...] = ("fp32", "bf16")


def _steps(found: dict[Precision, list[tuple[float, float]]]) -> Iterator[Figure]:
    for precision, pairs in found.items():
        plain, batched = map(list, zip(*pairs, strict=True))
        yield over(f"toy step, {precision}: plain", [1000 * seconds for seconds in plain], "ms")
        yield over(f"toy step, {precision}: {NETWORKS} networks at once", [1000 * each for each in batched], "ms")
        yield over(f"toy step, {precision}: plain over at once", [one / other for one, other in pairs], "times")
        yield over(f"toy step, {precision}: of one large product", _fractions(precision, batched), "fraction")


def _study() -> Iterator[Figure]:
    workers = os.cpu_count() or 1
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        list(pool.map(toy_study.train, [replace(SAMPLE[0], count=2)] * workers))  # imports don't count
        lines = list(pool.map(toy_study.train, SAMPLE))
    wanted = toy_study.tasks(400)
    networks = sum(task.count for task in wanted)
    minutes = [line["seconds"] / len(line["rows"]) * networks / workers / 60 for line in lines]
    name = f"toy study, {toy_study.PRECISION}"
    mean = Figure(f"{name}: extrapolated", sum(minutes) / len(minutes), "minutes", min(minutes), max(minutes), 1)
    yield replace(mean, goal=30.0, sense="<=")
    yield over(f"{name}: of one large product", [line["gemm_fraction"] for line in lines], "fraction")


def _fractions(precision: Precision, seconds: list[float]) -> list[float]:
    """What share of the rate of one large product, measured now on as many threads, the steps reach."""
    flops = gemm.step_flops((2, *HIDDEN, CLASSES), batch_size=BATCH) / gemm.rate(precision)
    return [flops / each for each in seconds]


def _spec(precision: Precision) -> ExperimentSpec:
    return ExperimentSpec.model_validate(
        {
            "model": {"kind": "mlp", "hidden": HIDDEN},
            "data": {"kind": "gaussian_mixture", "classes": CLASSES, "points": STEPS * BATCH, "realisations": NETWORKS},
            "mixing": {"kind": "manifold_mixup", "alpha": 0.5, "layers": [1], "sharing": "sample"},
            "training": {
                "epochs": 1000,
                "batch_size": BATCH,
                "optimiser": {"kind": "adam"},
                "precision": precision,
            },
            "evaluation": {"attacks": []},
        }
    )


def _batched(precision: Precision) -> Callable[[], float]:
    """The seconds of a step and network where all networks train at once; each call trains another epoch."""
    spec = _spec(precision)
    seeds = range(NETWORKS)
    data = [load(alone(spec, seed).data, Path("nowhere")) for seed in seeds]
    epochs = train(
        prepare(
            spec,
            seeds=seeds,
            networks=[_network(seed) for seed in seeds],
            loaders=[
                loader(each, spec.data, batch_size=BATCH, seed=seed, device="cpu") for seed, each in enumerate(data)
            ],
            shape=(2,),
            classes=CLASSES,
            device=torch.device("cpu"),
        ),
        done=0,
    )
    return lambda: next(epochs).seconds / (STEPS * NETWORKS)


@contextmanager
def _process(*, keeping: bool) -> Iterator[ProcessPoolExecutor]:
    """A process for the plain loop, whose memory is kept between steps or, as is glibc's habit, is not."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn"), initializer=_begin, initargs=(keeping,)) as pool:
        yield pool


def _begin(keeping: bool) -> None:
    torch.set_num_threads(THREADS)
    if keeping:
        keep_memory()


def _plain(process: ProcessPoolExecutor, precision: Precision) -> Callable[[], float]:
    """The seconds of a step and network where one network trains after the other."""
    return lambda: process.submit(_one_by_one, precision, "plain").result()


def _fused(process: ProcessPoolExecutor, precision: Precision) -> Callable[[], float]:
    """The same with torch's fused Adam."""
    return lambda: process.submit(_one_by_one, precision, "fused").result()


def _one_by_one(precision: Precision, adam: Literal["plain", "fused"]) -> float:
    start = time.perf_counter()
    for network, optimiser in _subjects(precision, adam):
        x, y, plan = _samples()
        for _ in range(STEPS):
            with autocast(precision, torch.device("cpu")):
                logits = network(x, plan)
            loss = F.cross_entropy(logits.float(), plan.label(y))
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
    return (time.perf_counter() - start) / (STEPS * NETWORKS)


@cache
def _subjects(precision: Precision, adam: Literal["plain", "fused"]) -> list[tuple[Staged, torch.optim.Adam]]:
    """Networks of their own for each precision, which go on learning from call to call."""
    networks = [_network(seed) for seed in range(NETWORKS)]
    fused = True if adam == "fused" else None
    return [(network, torch.optim.Adam(network.parameters(), lr=1e-3, fused=fused)) for network in networks]


@cache
def _samples() -> tuple[Tensor, Tensor, Plan]:
    y = F.one_hot(torch.randint(CLASSES, (BATCH,)), CLASSES).float()
    return torch.randn(BATCH, 2), y, blending(1, lam=torch.rand(BATCH), partner=torch.randperm(BATCH))


def _network(seed: int) -> Staged:
    network = build(_spec("fp32").model, shape=(2,), classes=CLASSES, seed=seed)
    assert isinstance(network, Staged)
    return network


if __name__ == "__main__":
    for figure in figures():
        print(figure.line())
