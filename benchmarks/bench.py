"""Runs the benchmarks and writes what they found to RESULTS.md.

`python -m benchmarks.bench [--only NAME ...] [--out FILE]`. Each module runs in a process of its own, so that none
inherits the memory, the threads or torch's state of the one before. A missed goal is a result, not a failure.
"""

import argparse
import importlib
import json
import os
import platform
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import redirect_stdout
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import torch

from benchmarks.figures import Figure, shown

MODULES = (
    "throughput",
    "mixing_overhead",
    "evaluation_cost",
    "memory",
    "ddp",
    "toy_step",
    "queue",
    "events",
    "comparisons",
    "leaderboard",
)
RESULTS = Path(__file__).parent / "RESULTS.md"
FLAGS = ("avx2", "avx512f", "avx512_bf16", "avx512_fp16", "amx_bf16", "amx_fp16")
"""What of a CPU decides how fast it multiplies in each precision."""


def main() -> int:
    """0 where every module came to its end, whatever it found; 1 otherwise."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.bench", description="Run the benchmarks.")
    parser.add_argument("--only", nargs="+", choices=MODULES, default=MODULES, metavar="NAME", help=", ".join(MODULES))
    parser.add_argument("--out", type=Path, default=RESULTS, help="the file whose sections are rewritten")
    parser.add_argument("--measure", choices=MODULES, help=argparse.SUPPRESS)  # what the child process is asked
    asked = parser.parse_args()
    if asked.measure:
        return _measure(asked.measure)
    return max([_bench(name, asked.out) for name in asked.only])


def section(name: str, figures: Sequence[Figure], *, command: str) -> str:
    """A module's part of the results: where, when and how, and a row a figure."""
    rows = ["| name | median | unit | low | high | rounds | goal | verdict |", "|---|---|---|---|---|---|---|---|"]
    facts = [machine(), f"{datetime.now(UTC):%Y-%m-%d}", f"`{command}`", _versions()]
    return "\n".join([f"## {name}", "", "; ".join(facts) + ".", "", *rows, *map(_row, figures), ""])


def rewritten(document: str, name: str, written: str) -> str:
    """The document with the section of this heading replaced, or put at its end; other sections stay as they are."""
    parts = document.split("\n## ")
    head, sections = parts[0].rstrip("\n"), [f"## {part}".rstrip("\n") for part in parts[1:]]
    names = [part.split("\n", 1)[0] for part in sections]
    if f"## {name}" in names:
        sections[names.index(f"## {name}")] = written.rstrip("\n")
    else:
        sections.append(written.rstrip("\n"))
    return "\n\n".join([head, *sections]) + "\n"


def machine() -> str:
    """The processor, its cores and what it can multiply, and the memory."""
    text = _read("/proc/cpuinfo")
    fields = [line.partition(":") for line in text.splitlines()]
    known = {key.strip(): value.strip() for key, _, value in fields}
    flags = set(known.get("flags", "").split())
    model = known.get("model name") or platform.processor() or platform.machine()
    gigabytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    told = " ".join(flag for flag in FLAGS if flag in flags) or "none of the flags that matter"
    return f"{model}, {os.cpu_count()} cores ({told}), {gigabytes:.0f} GB"


def _bench(name: str, out: Path) -> int:
    print(f"# {name}", flush=True)
    figures: list[Figure] = []
    command = [sys.executable, "-m", "benchmarks.bench", "--measure", name]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        for line in child.stdout:
            figures.append(Figure(**json.loads(line)))
            print(figures[-1].line(), flush=True)
    if child.returncode:
        print(f"{name} failed with exit status {child.returncode}; its traceback is above", flush=True)
        return 1
    document = out.read_text() if out.exists() else "# Results of the benchmarks\n"
    out.write_text(rewritten(document, name, section(name, figures, command=f"make bench ONLY={name}")))
    return 0


def _measure(name: str) -> int:
    """In the child: a JSON line a figure on the standard output, and whatever else is said on the standard error."""
    lines = sys.stdout
    with redirect_stdout(sys.stderr):
        for figure in _figures(name):
            print(json.dumps(asdict(figure)), file=lines, flush=True)
    return 0


def _figures(name: str) -> Iterator[Figure]:
    figures: Iterator[Figure] = importlib.import_module(f"benchmarks.{name}").figures()
    return figures


def _row(figure: Figure) -> str:
    goal = "" if figure.goal is None else f"{figure.sense} {figure.goal:g}"
    verdict = {None: "", True: "met", False: "missed"}[figure.met]
    value, low, high = map(shown, (figure.value, figure.low, figure.high))
    return f"| {figure.name} | {value} | {figure.unit} | {low} | {high} | {figure.rounds} | {goal} | {verdict} |"


def _versions() -> str:
    return f"Python {platform.python_version()}, torch {torch.__version__}"


def _read(path: str) -> str:
    try:
        return Path(path).read_text()
    except OSError:  # only Linux has it
        return ""


if __name__ == "__main__":
    sys.exit(main())
