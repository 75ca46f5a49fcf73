"""A comparison from its file to its verdict, with real workers."""

import json
import os
import subprocess
import sys
from pathlib import Path

from mmix.cli.household import Household

FILE = """
name: tiny
base:
  model: {kind: mlp, hidden: [16]}
  data: {kind: digits}
  mixing: {kind: erm}
  training: {epochs: 2}
  evaluation: {attacks: [], artifacts: [logits]}
arms:
  - {name: erm}
grid:
  mixing: [{kind: input_mixup, alpha: 1.0}]
seeds: [0, 1]
baseline: erm
smallest_difference: 0.01
"""


def _mmix(house: Household, *arguments: str) -> str:
    command = [str(Path(sys.executable).parent / "mmix"), *arguments]
    environment = {**os.environ, "MMIX_URL": house.url, "COLUMNS": "80"}
    return subprocess.run(command, check=True, capture_output=True, text=True, env=environment, timeout=60).stdout


def _compared(house: Household, path: Path) -> dict[str, object]:
    answer: dict[str, object] = json.loads(_mmix(house, "compare", str(path), "--wait", "--json"))
    return answer


def test_a_comparison_is_trained_and_judged_and_its_runs_are_not_repeated(house: Household, tmp_path: Path) -> None:
    path = tmp_path / "comparison.yaml"
    path.write_text(FILE)
    first = _compared(house, path)
    analysis = first["analysis"]
    assert isinstance(analysis, dict)
    (difference,) = analysis["differences"]
    assert (first["state"], analysis["complete"]) == ("succeeded", True)
    assert (difference["arm"], difference["n"]) == ("input_mixup alpha=1.0", 2)
    assert difference["bootstrap"]["over"] == "seeds and test images"
    assert difference["power"]["difference"] == 0.01
    assert all(
        arm["cost"].keys() == {"epochs", "forward_backward_passes", "device_seconds"} for arm in analysis["arms"]
    )
    assert [len(view["arms"]) for view in analysis["matched"]] == [2, 2]
    again = _compared(house, path)
    assert again["analysis"] == analysis
    arms = again["arms"]
    assert isinstance(arms, list)
    assert [run["shared"] for arm in arms for run in arm["runs"]] == [True] * 4
    told = _mmix(house, "comparison", str(again["id"]))
    assert "4 succeeded; 4 shared" in told
    assert "Against erm: paired differences in points" in told
    assert _mmix(house, "cancel", str(again["id"])) == "succeeded\n"
    assert str(first["id"]) in _mmix(house, "comparison", "--name", "tiny")
