"""What two processes that share batches cost, against one with as many threads. A few minutes; it only informs.

Two ranks with a thread each and one process with two threads and two groups compute the same. The ranks exchange
gradients and, synchronised, batch statistics through gloo; what is compared is images a second within epochs, without
the seconds that starting processes takes.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.figures import Figure, in_turn, over
from mmix.run import Places, Trained, run
from mmix.spec.experiment import ExperimentSpec

ROUNDS = 3
SPEC: dict[str, Any] = {
    "model": {"kind": "preact_resnet", "width": 16},
    "data": {"kind": "digits"},
    "mixing": {"kind": "manifold_mixup", "alpha": 2.0, "layers": [0, 1, 2]},
    "training": {"epochs": 3, "batch_size": 128, "compile": "off"},
    "evaluation": {"attacks": [], "test_every": 3},
}


def figures() -> Iterator[Figure]:
    """The ratio of the speeds with synchronised batch normalisation, and with each rank's own."""
    for sync, name in ((True, "synchronised"), (False, "own")):
        ranked = {"devices": 2, "sync_batch_norm": sync}
        pairs = in_turn(partial(_speed, ranked, 1), partial(_speed, {"groups": 2}, 2), rounds=ROUNDS)
        yield over(f"ddp_two_ranks_over_one_process_{name}_norm", [one / other for one, other in pairs], "ratio")


def _speed(training: dict[str, Any], threads: int) -> float:
    """Images a second, the median of the epochs after the first."""
    spec = {**SPEC, "training": {**SPEC["training"], **training}}
    ranks = training.get("devices", 1)
    starting = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(ranks)] if ranks > 1 else []
    with tempfile.TemporaryDirectory() as folder:
        told = Path(folder) / "speeds.json"
        command = [sys.executable, *starting, "-m", "benchmarks.ddp", json.dumps(spec), str(threads), str(told)]
        subprocess.run(command, check=True, capture_output=True)
        speeds: list[float] = json.loads(told.read_text())
    return statistics.median(speeds[1:])


def _measure(spec: str, threads: str, told: str) -> None:
    found = run(ExperimentSpec.model_validate(json.loads(spec)), 0, places=Places(Path()), threads=int(threads))
    speeds = [report.images_per_second for report in found if isinstance(report, Trained)]
    if os.environ.get("RANK", "0") == "0":
        Path(told).write_text(json.dumps(speeds))


if __name__ == "__main__":
    if len(sys.argv) > 1:
        _measure(*sys.argv[1:])
    else:
        for figure in figures():
            print(figure.line())
