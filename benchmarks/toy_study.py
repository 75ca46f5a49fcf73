"""The toy family: does mixing help, at which depth, and what tells how hard a problem is?

    python -m benchmarks.toy_study --data-sets 400 --out build/toy-family.jsonl [--report docs/toy-family.md]

Trains ERM and Manifold Mixup at each depth on many Gaussian-mixture problems, with one seed per data set shared by all
arms, so that every comparison is paired. Up to ten data sets of one K make a run of as many realisations; the runs are
shared by as many processes as there are cores, one thread each. Every finished run is a line of the file, under the
digest of its spec, and is not trained again. Full size takes about 20 minutes on two CPU cores.
"""

import argparse
import json
import math
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from benchmarks import gemm, toy_report
from benchmarks.toy_report import ARMS, CLASSES, EPOCHS, HIDDEN, TEST_SIZE, Line, Row
from mmix import run as laboratory
from mmix.spec.experiment import ExperimentSpec, digest
from mmix.spec.optimisation import Precision

BATCH = 50
TOGETHER = 10
"""Data sets of one run."""
FAR = 10_000
"""The first data set of K classes has the seed K times this: more data sets of one K are new ones, not another K's."""
PRECISION: Precision = "fp32"
METRICS = ("error", "excess_risk", "relative_excess_risk", "bayes_risk", "mmlb", "normalised_mmlb")


@dataclass(frozen=True)
class Task:
    """One run: an arm on `count` data sets of K classes, the first of which has the seed `first`."""

    arm: str
    classes: int
    first: int
    count: int

    def spec(self) -> ExperimentSpec:
        """The optimiser and the ranges of means and sigma are ours: the manuscript has none."""
        return ExperimentSpec.model_validate(
            {
                "model": {"kind": "mlp", "hidden": HIDDEN},
                "data": {
                    "kind": "gaussian_mixture",
                    "classes": self.classes,
                    "seed": self.first,
                    "test_size": TEST_SIZE,
                    "realisations": self.count,
                },
                "mixing": ARMS[self.arm],
                "training": {
                    "epochs": EPOCHS,
                    "batch_size": BATCH,
                    "optimiser": {"kind": "adam"},
                    "precision": PRECISION,
                },
                # The last epoch alone is reported, and to test costs as much as an epoch of training.
                "evaluation": {"attacks": [], "test_every": EPOCHS},
            }
        )

    def key(self) -> tuple[str, int]:
        """Under what the file knows the run: the digest of its spec, and its seed."""
        return digest(self.spec()), self.first


def tasks(data_sets: int) -> list[Task]:
    """All runs of the study, the arms of the same data sets together; equally many data sets for each K."""
    each = data_sets // len(CLASSES)
    cut = np.array_split(np.arange(each), math.ceil(each / TOGETHER))  # evenly: never is one left alone
    return [
        Task(arm, classes, first=FAR * classes + int(part[0]), count=len(part))
        for part in cut
        for classes in CLASSES
        for arm in ARMS
    ]


def train(task: Task) -> Line:
    """Trains one run; what the file keeps of it."""
    start = time.perf_counter()
    rate = _rate()
    reports: list[laboratory.Report] = []
    with tempfile.TemporaryDirectory() as folder:
        places = laboratory.Places(data=Path("nowhere"), artifacts=Path(folder))
        for report in laboratory.run(task.spec(), task.first, places=places, threads=1):
            reports.append(report)
        found = json.loads((Path(folder) / "realisations.json").read_text())
    trained = [report for report in reports if isinstance(report, laboratory.Trained)]
    training_seconds = sum(report.seconds for report in trained)
    points = sum(report.seconds * report.images_per_second for report in trained)
    flops = points / BATCH * gemm.step_flops((2, *HIDDEN, task.classes), batch_size=BATCH)
    return {
        "digest": task.key()[0],
        "seed": task.first,
        "rows": [*_rows(task, found)],
        "seconds": time.perf_counter() - start,
        "training_seconds": training_seconds,
        "gemm_fraction": flops / training_seconds / rate,
        "precision": PRECISION,
        "machine": toy_report.machine(),
    }


def lines_of(path: Path) -> list[Line]:
    """The finished runs; a last line cut off by an interruption is passed over."""
    lines = []
    for text in path.read_text().splitlines() if path.exists() else []:
        try:
            lines.append(json.loads(text))
        except json.JSONDecodeError:
            continue
    return lines


def finished(path: Path, wanted: Sequence[Task]) -> dict[tuple[str, int], Line]:
    """Which of the wanted runs the file has; it says how many lines it passes over, as they are of other specs."""
    keys = {task.key() for task in wanted}
    lines = {(line["digest"], line["seed"]): line for line in lines_of(path) if "digest" in line}
    if others := len(lines_of(path)) - len(lines.keys() & keys):
        print(f"{path}: {others} lines are of other specs or sizes, or twice there: passed over", file=sys.stderr)
    return {key: line for key, line in lines.items() if key in keys}


def study(data_sets: int, path: Path) -> list[Line]:
    """Trains what the file doesn't have yet, one run a core at a time."""
    wanted = tasks(data_sets)
    done = finished(path, wanted)
    left = [task for task in wanted if task.key() not in done]
    path.parent.mkdir(parents=True, exist_ok=True)
    _end_line(path)
    with (
        ProcessPoolExecutor(os.cpu_count(), mp_context=get_context("spawn")) as pool,
        path.open("a") as file,
        _progress() as progress,
    ):
        bar = progress.add_task("networks", total=_networks(wanted), completed=_networks(wanted) - _networks(left))
        last = time.perf_counter()
        try:
            for future in as_completed([pool.submit(train, task) for task in left]):
                # Of the wall time since the last line: what an interruption lost is not in it, nor the time between.
                now = time.perf_counter()
                line = future.result() | {"wall_seconds": now - last}
                last = now
                file.write(json.dumps(line) + "\n")
                file.flush()
                progress.advance(bar, len(line["rows"]))
        finally:
            pool.shutdown(cancel_futures=True)  # interrupted, it would otherwise train all that is left
    found = finished(path, wanted)
    return [found[task.key()] for task in wanted]


def _rows(task: Task, found: dict[str, Any]) -> Iterator[Row]:
    last = found["results"]["last"]
    for place, data_set in enumerate(found["data_seed"]):
        values = {name: last[name][place] for name in METRICS if name in last}
        yield {"arm": task.arm, "data_set": data_set, "classes": task.classes, **values}


_measured: list[float] = []


def _rate() -> float:
    """The rate of a large product on one thread, measured once a process, while the others are at work."""
    if not _measured:
        torch.set_num_threads(1)
        _measured.append(gemm.rate(PRECISION))
    return _measured[0]


def _networks(some: Sequence[Task]) -> int:
    return sum(task.count for task in some)


def _end_line(path: Path) -> None:
    """Ends a line that an interruption cut off: the next one must not be glued to it."""
    if path.exists() and path.read_bytes()[-1:] not in (b"", b"\n"):
        with path.open("a") as file:
            file.write("\n")


def _progress() -> Progress:
    return Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn()
    )


def main() -> None:
    """Trains, then reports."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-sets", type=int, default=400, help="a multiple of four, at least eight")
    parser.add_argument("--out", type=Path, default=Path("build/toy-family.jsonl"))
    parser.add_argument("--report", type=Path)
    asked = parser.parse_args()
    if asked.data_sets < 2 * len(CLASSES) or asked.data_sets % len(CLASSES):
        parser.error(f"--data-sets is {asked.data_sets}: give a multiple of {len(CLASSES)}, at least 8")
    text = toy_report.report(study(asked.data_sets, asked.out))
    if asked.report is not None:
        asked.report.write_text(text)
    print(text)


if __name__ == "__main__":
    main()
