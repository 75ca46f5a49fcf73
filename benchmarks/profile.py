"""Where the time of a training step goes.

`python -m benchmarks.profile SPEC [--out DIR] [--device cpu] [--steps 20]`, or `make profile SPEC=path`. Takes some
steps of a spec's training uncounted, then profiles some, writes a trace and prints the ten costliest operations.
"""

import argparse
import sys
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from torch.profiler import ProfilerActivity, profile

from benchmarks.steps import learner, steps
from mmix import settings
from mmix.data.load import load
from mmix.errors import MmixError, SpecError
from mmix.run import devices
from mmix.spec import document
from mmix.spec.data import realisations_of
from mmix.spec.experiment import ExperimentSpec
from mmix.training.compilation import explained
from mmix.training.precision import repeatable

WARM_UP = 5
"""Steps before the profiler listens: memory is taken then, and each layer's graph compiled, if at all."""

ROWS = 10


def main() -> int:
    """0 where the trace was written; 1 where the spec can't be trained here."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.profile", description="Profile some training steps.")
    parser.add_argument("spec", type=Path, help="a YAML or JSON file")
    parser.add_argument("--out", type=Path, default=Path("build/profile"), help="the folder for the trace")
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument("--steps", type=int, default=20, help="how many steps are profiled")
    parser.add_argument("--threads", type=int, help="torch's threads; its own choice where not given")
    asked = parser.parse_args()
    try:
        print(
            profiled(
                document.load(asked.spec), asked.out, device=asked.device, count=asked.steps, threads=asked.threads
            )
        )
    except MmixError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def profiled(spec: ExperimentSpec, out: Path, *, device: str, count: int, threads: int | None) -> str:
    """Profiles so many steps and writes the trace to the folder; the report."""
    where = devices.find(device)
    if spec.training.devices > 1 or realisations_of(spec.data) > 1:
        raise SpecError("one network on one device is profiled: set training.devices and data.realisations to 1")
    activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if where.type == "cuda" else [])]
    with repeatable(device=where, threads=threads), explained():
        trained = learner(spec, load(spec.data, settings.load().data_folder), device=where)
        taken = steps(trained)
        # A compiled network compiles in steps, one for each way of mixing; 8 steps for each find nearly all of them.
        list(islice(taken, WARM_UP + 8 * trained.compilation.graphs))
        with profile(activities=activities) as found:
            samples = sum(islice(taken, count))
            if where.type == "cuda":
                torch.cuda.synchronize()
    out.mkdir(parents=True, exist_ok=True)
    trace = out / "trace.json.gz"
    found.export_chrome_trace(str(trace))
    told = f"{count} steps on {samples} samples on {where}; network: {trained.compilation.told()}"
    advice = f"The trace lies in {trace}: open it in https://ui.perfetto.dev or in Chrome under chrome://tracing."
    return "\n".join([told, "", *table(found.key_averages(), cuda=where.type == "cuda"), "", advice])


def table(rows: Sequence[Any], *, cuda: bool) -> list[str]:
    """The rows that cost most by themselves, without what they call: on the GPU where there is one."""
    attribute = "self_device_time_total" if cuda else "self_cpu_time_total"
    costs = {row.key: (getattr(row, attribute), row.count) for row in rows}
    whole = sum(cost for cost, _ in costs.values()) or 1
    costliest = sorted(costs.items(), key=lambda item: -item[1][0])[:ROWS]
    lines = [f"{name[:60]:60} {cost / 1000:10.2f} {cost / whole:6.3f} {calls:8}" for name, (cost, calls) in costliest]
    return [f"{'operation':60} {'self ms':>10} {'share':>6} {'calls':>8}", *lines]


if __name__ == "__main__":
    sys.exit(main())
