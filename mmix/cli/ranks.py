"""A run on several devices of this machine: one process for each of them, started here and followed.

The ranks write what happens as JSON lines into a folder. What torchrun and the ranks print goes to a file there too: it
is shown only where nobody says in one line what went wrong.
"""

import json
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmix import errors, parentage
from mmix.errors import MmixError
from mmix.run import Finished, Places, Report, Trained
from mmix.spec.experiment import ExperimentSpec

REPORTS = "reports.jsonl"
_TICK_SECONDS = 0.1
_GRACE_SECONDS = 10.0
_KINDS = {kind.__name__: kind for kind in (Trained, Finished)}


@dataclass(frozen=True)
class Order:
    """What each rank is to do."""

    spec: dict[str, Any]
    seed: int
    data: str
    artifacts: str | None
    device: str
    threads: int


def run(spec: ExperimentSpec, seed: int, *, places: Places, device: str, threads: int) -> Iterator[Report]:
    """Trains on `training.devices` devices, and reports each epoch and the results. threads: of each rank.

    Raises: what `mmix.run.run` raises, and MmixError where a rank ends without saying why.
    """
    order = Order(
        spec=spec.model_dump(mode="json"),
        seed=seed,
        data=str(places.data),
        artifacts=None if places.artifacts is None else str(places.artifacts),
        device=device,
        threads=threads,
    )
    with tempfile.TemporaryDirectory(prefix="mmix-ranks-") as name:
        folder = Path(name)
        (folder / "order.json").write_text(json.dumps(vars(order)))
        with _started(folder, count=spec.training.devices) as ranks:
            yield from _followed(ranks, folder)
            if ranks.wait() != 0:
                raise _failure(folder)


def told(folder: Path, report: Report) -> None:
    """Appends a report to those of the run."""
    kind = type(report).__name__
    if kind in _KINDS:
        with (folder / REPORTS).open("a") as lines:
            lines.write(json.dumps({"kind": kind, **vars(report)}) + "\n")


def failed(folder: Path, error: MmixError, *, rank: int) -> None:
    """Notes for the launcher why this rank ends."""
    told_as = {"kind": type(error).__name__, "message": str(error)}
    (folder / f"failed-{rank}.tmp").write_text(json.dumps(told_as))
    (folder / f"failed-{rank}.tmp").rename(folder / f"failed-{rank}.json")


@contextmanager
def _started(folder: Path, *, count: int) -> Iterator[subprocess.Popen[bytes]]:
    """torchrun with its ranks, which have ended when this has."""
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(count)]
    command += ["--max-restarts", "0", "-m", "mmix.cli.rank", str(folder), parentage.OWN_PID]
    with (folder / "output").open("wb") as output:
        ranks = subprocess.Popen(
            parentage.bound_command(*command),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,  # Ctrl-C comes to this process, which then ends the ranks once
        )
    try:
        yield ranks
    finally:
        # torchrun ends its ranks on SIGTERM. Killed, it takes them along: each asked the kernel for that.
        _end(ranks)


def _end(process: subprocess.Popen[bytes]) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        if process.poll() is not None:
            return
        process.send_signal(number)
        try:
            process.wait(timeout=_GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            continue


def _followed(ranks: subprocess.Popen[bytes], folder: Path) -> Iterator[Report]:
    """The reports, until all ranks have ended."""
    (folder / REPORTS).touch()
    with (folder / REPORTS).open() as lines:
        line, ended = "", False
        while not ended:
            ended = ranks.poll() is not None  # asked before reading: what was written before the end is read
            while (found := lines.readline()) != "":
                line += found
                if line.endswith("\n"):
                    yield _report(json.loads(line))
                    line = ""
            if not ended:
                time.sleep(_TICK_SECONDS)


def _report(told: dict[str, Any]) -> Report:
    return _KINDS[told.pop("kind")](**told)


def _failure(folder: Path) -> MmixError:
    """Why the ranks ended: what the first of them said, or the end of what was printed."""
    for path in sorted(folder.glob("failed-*.json")):
        told = json.loads(path.read_text())
        kind: type[MmixError] = getattr(errors, told["kind"])
        return kind(told["message"])
    print((folder / "output").read_text(errors="replace"), file=sys.stderr)
    return MmixError("one of the ranks ended without saying why; what all of them printed stands above")
