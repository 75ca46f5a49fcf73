"""`mmix train` where it starts a process for each device."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from tests.fleet.conftest import until

MMIX = str(Path(sys.executable).parent / "mmix")
SPEC = """
model: {kind: mlp, hidden: [16]}
data: {kind: DATA, train_size: 100}
mixing: {kind: manifold_mixup, alpha: 2.0, layers: [0, 1]}
training: {epochs: EPOCHS, batch_size: 20, devices: 2}
evaluation: {attacks: []}
"""
LONG = 100_000


def _command(folder: Path, *, epochs: int = 2, data: str = "digits") -> list[str]:
    path = folder / "spec.yaml"
    path.write_text(SPEC.replace("EPOCHS", str(epochs)).replace("DATA", data))
    return [MMIX, "train", str(path), "--seed", "0", "--json"]


def _environment(folder: Path) -> dict[str, str]:
    return {**os.environ, "MMIX_HOME": str(folder / "home"), "TMPDIR": str(folder)}


def _ended(command: Sequence[str], folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, env=_environment(folder), timeout=120)


def test_two_devices_print_one_document(tmp_path: Path) -> None:
    found = _ended(_command(tmp_path), tmp_path)
    assert (found.returncode, found.stderr) == (0, "")
    document = json.loads(found.stdout)
    assert document["provenance"]["devices"] == 2
    assert 0 <= document["results"]["last"]["error"] <= 1
    assert not [*tmp_path.glob("mmix-ranks-*")]


def test_what_ends_all_ranks_is_told_in_one_line(tmp_path: Path) -> None:
    found = _ended(_command(tmp_path, data="cifar10"), tmp_path)
    assert (found.returncode, found.stdout) == (1, "")
    (line,) = found.stderr.strip().splitlines()
    assert line.startswith("mmix: ")
    assert "mmix data prepare cifar10" in line


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_ranks_end_with_the_command(number: signal.Signals, tmp_path: Path) -> None:
    with _training(_command(tmp_path, epochs=LONG), tmp_path) as train:
        started = until(lambda: _ranks(train), seconds=60, what="the start of torchrun and its two ranks")
        train.send_signal(number)
        assert train.wait(timeout=30) == (130 if number is signal.SIGINT else -number)
    until(lambda: not any(map(_lives, started)), seconds=10, what="the end of torchrun and its two ranks")


@contextmanager
def _training(command: Sequence[str], folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    train = subprocess.Popen(command, env=_environment(folder), stderr=subprocess.DEVNULL)
    try:
        yield train
    finally:
        train.kill()
        train.wait()


def _ranks(train: subprocess.Popen[bytes]) -> list[psutil.Process] | None:
    children: list[psutil.Process] = psutil.Process(train.pid).children(recursive=True)
    return children if len(children) >= 3 else None


def _lives(process: psutil.Process) -> bool:
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)  # dead, only not yet collected
    except psutil.NoSuchProcess:
        return False
