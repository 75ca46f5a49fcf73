"""`mmix model points` as people use it: as a process."""

import os
import subprocess
import sys
from pathlib import Path

MMIX = str(Path(sys.executable).parent / "mmix")


def _points(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [MMIX, "model", "points", *arguments]
    return subprocess.run(command, capture_output=True, text=True, env=os.environ | {"COLUMNS": "80"}, timeout=90)


def _rows(text: str) -> list[list[str]]:
    lines = [line for line in text.splitlines() if line.startswith("│")]
    return [[cell.strip() for cell in line.strip("│").split("│")] for line in lines]


def test_the_points_of_a_network_and_what_else_could_be_one_are_listed() -> None:
    found = _points("torchvision", "--name", "resnet18", "--set", "points=[layer2, maxpool]", "--shape", "1,64,64")
    assert found.returncode == 0, found.stderr
    rows = _rows(found.stdout)
    assert rows[:3] == [["0", "input", "1 x 64 x 64"], ["1", "layer2", "128 x 8 x 8"], ["2", "maxpool", "64 x 16 x 16"]]
    assert ["layer4.1", "512 x 2 x 2"] in rows[3:]
    assert ["layer4.1.conv1", "512 x 2 x 2"] not in rows[3:]


def test_what_cannot_be_built_is_told_in_one_line() -> None:
    found = _points("preact_resnet", "--set", "depth=19")
    assert (found.returncode, found.stdout) == (2, "")
    assert found.stderr.startswith("mmix: model.depth: ")
    assert "18, 34 or 50" in found.stderr
    assert len(found.stderr.splitlines()) == 1
