"""The GPU's side of the benchmarks, in one command that needs torch, torchvision, numpy, pydantic and mmix alone.

`python -m benchmarks.gpu --out DIR [--device cuda] [--quick] [--data DIR] [--only PART ...]`: about half an hour on an
H200 without data. Each part stands by itself: one that fails or takes too long is told of, and the others go on. What
is found is written as it comes: gpu.json, and gpu.md, a section for RESULTS.md. `--quick --device cpu` rehearses all of
it in a minute on tiny sizes; its figures mean nothing and no goal is judged.
"""

import argparse
import gc
import json
import platform
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType

import torch

from benchmarks.figures import Figure
from benchmarks.gpu_parts import NEED_DATA, PARTS, first_steps
from benchmarks.gpu_subject import Subject, subject
from mmix.errors import MmixError

LIMIT_SECONDS = {"whole_training": 1800, "precision": 7200}
"""How long a part may take, where that isn't fifteen minutes."""


@dataclass
class Findings:
    """What was found, written to a folder whenever something is added."""

    folder: Path
    facts: dict[str, str]
    figures: list[Figure] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def add(self, figure: Figure) -> None:
        """One figure more."""
        self.figures.append(figure)
        print(figure.line(), flush=True)
        self._write()

    def note(self, text: str) -> None:
        """Something that isn't a figure: what was skipped, and what failed."""
        self.notes.append(text)
        print(f"# {text}", flush=True)
        self._write()

    def markdown(self) -> str:
        """The section for RESULTS.md."""
        told = "; ".join(f"{name} {value}" for name, value in self.facts.items())
        head = ["## gpu", "", f"{told}.", "", "| name | median | unit | low | high | rounds | goal | verdict |"]
        rows = [*head, "|---|---|---|---|---|---|---|---|", *map(_row, self.figures), ""]
        return "\n".join([*rows, *(f"- {note}" for note in self.notes), ""])

    def _write(self) -> None:
        found = {"facts": self.facts, "figures": [asdict(each) for each in self.figures], "notes": self.notes}
        (self.folder / "gpu.json").write_text(json.dumps(found, indent=1))
        (self.folder / "gpu.md").write_text(self.markdown())


def main() -> int:
    """0 where every part came to its end, whatever it found; 1 otherwise."""
    asked = _arguments()
    device = torch.device(asked.device)
    if device.type == "cuda" and not torch.cuda.is_available():
        print("torch finds no CUDA device here: --quick --device cpu rehearses without one", file=sys.stderr)
        return 1
    try:
        chosen = subject(device, quick=asked.quick, folder=asked.data)
    except MmixError as error:
        print(error, file=sys.stderr)
        return 1
    if asked.first_steps:
        first_steps(chosen)
        return 0
    asked.out.mkdir(parents=True, exist_ok=True)
    findings = Findings(asked.out, facts(device))
    if asked.quick:
        findings.note("a rehearsal on tiny sizes: its figures mean nothing, and no goal is judged")
    return max([_part(name, chosen, findings) for name in asked.only])


def facts(device: torch.device) -> dict[str, str]:
    """Device, driver and versions, and when."""
    cuda = device.type == "cuda"
    return {
        "device": torch.cuda.get_device_name(device) if cuda else f"{platform.machine()} CPU",
        "driver": _driver() if cuda else "none",
        "CUDA": str(torch.version.cuda),
        "torch": torch.__version__,
        "Python": platform.python_version(),
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "command": f"`python -m benchmarks.gpu {' '.join(sys.argv[1:])}`",
    }


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu", description="Measure on a GPU.")
    parser.add_argument("--out", type=Path, default=Path("build/gpu"), help="the folder for gpu.json and gpu.md")
    parser.add_argument("--device", default="cuda", help="cuda, cuda:1 or, to rehearse, cpu")
    parser.add_argument("--quick", action="store_true", help="tiny sizes, a minute in all; nothing is judged")
    parser.add_argument("--data", type=Path, help="a folder with CIFAR-10 as .npz or as `mmix data prepare` packs it")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=[*PARTS], metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--first-steps", action="store_true", help=argparse.SUPPRESS)  # what a child process is asked
    return parser.parse_args()


def _part(name: str, subject: Subject, findings: Findings) -> int:
    if name in NEED_DATA and (subject.quick or not subject.real):
        findings.note(f"{name}: skipped, as it needs real images: give --data DIR, and not --quick")
        return 0
    start = time.perf_counter()
    try:
        with _bounded(LIMIT_SECONDS.get(name, 900)):
            for figure in PARTS[name](subject):
                findings.add(replace(figure, goal=None) if subject.quick else figure)
    except Exception as error:  # whatever a part meets, the others are still worth having
        findings.note(f"{name}: failed after {time.perf_counter() - start:.0f} s: {type(error).__name__}: {error}")
        return 1
    finally:
        gc.collect()
        if subject.device.type == "cuda":
            torch.cuda.empty_cache()
    return 0


@contextmanager
def _bounded(seconds: int) -> Iterator[None]:
    """Raises: TimeoutError after so many seconds, at the next line of Python: a kernel that hangs is let hang."""

    def late(signum: int, frame: FrameType | None) -> None:
        raise TimeoutError(f"it took more than {seconds} s")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def _driver() -> str:
    """As NVIDIA's kernel module says."""
    try:
        words = Path("/proc/driver/nvidia/version").read_text().split()
    except OSError:
        return "unknown"
    return next((word for word in words if word[0].isdigit() and "." in word), "unknown")


def _row(figure: Figure) -> str:
    goal = "" if figure.goal is None else f"{figure.sense} {figure.goal:g}"
    verdict = {None: "", True: "met", False: "missed"}[figure.met]
    value, low, high = (f"{number:.4g}" for number in (figure.value, figure.low, figure.high))
    return f"| {figure.name} | {value} | {figure.unit} | {low} | {high} | {figure.rounds} | {goal} | {verdict} |"


if __name__ == "__main__":
    sys.exit(main())
