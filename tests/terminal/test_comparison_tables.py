"""A comparison in a terminal: arms, differences with intervals and verdicts in words, cost, and what hampers them."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console, RenderableType

from mmix.cli.compared import comparison_table, comparisons_table
from mmix.comparison import Arm, Question, Unit, analyse
from tests.conftest import temporary_home

ERM = [0.10, 0.12, 0.11, 0.14, 0.09, 0.13]
MIXUP = [0.08, 0.09, 0.10, 0.10, 0.08, 0.09]
SOURCE = """
name: bad
base:
  model: {kind: mlp, hidden: [16]}
  data: {kind: digits}
  mixing: {kind: erm}
  training: {epochs: 2}
arms:
  - {name: erm}
  - {name: mixup, replace: {mixing: {kind: input_mixup, alpha: 1.0}}}
seeds: [0, 1]
baseline: erm
tags: [mine]
"""


def _units(values: list[float]) -> dict[Unit, float]:
    return {(seed,): value for seed, value in enumerate(values)}


def _arm(name: str, values: list[float], *, passes: float) -> Arm:
    return Arm(
        name=name,
        values=_units(values),
        selections={"best_on_test": _units([value - 0.01 for value in values])},
        cost={"epochs": _units([2.0] * 6), "forward_backward_passes": _units([passes] * 6)},
        curves={(seed,): [(1, 2 * value), (2, value)] for seed, value in enumerate(values)},
    )


def _comparison(*, complete: bool = True, primary: bool = True, unlike: tuple[str, ...] = ()) -> dict[str, Any]:
    question = Question("error", "erm", higher_is_better=False, smallest_difference=0.02, complete=complete)
    arms = [_arm("erm", ERM, passes=1000.0), _arm("mixup", MIXUP, passes=2000.0)]
    analysis = analyse(arms, question).document() | {"primary": primary, "unlike": [*unlike]}
    runs = [{"id": "r", "seed": seed, "state": "succeeded", "shared": seed == 0} for seed in range(6)]
    arms_told: list[dict[str, Any]] = [
        {"name": name, "label": name, "digest": "d", "spec": {}, "runs": runs} for name in ("erm", "mixup")
    ]
    told = {"id": "01970000-0000-7000-8000-000000000000", "name": "digits", "unlike": [*unlike]}
    return {**told, "arms": arms_told, "analysis": analysis}


def _printed(table: RenderableType) -> str:
    console = Console(width=80, record=True, file=open(os.devnull, "w"))  # noqa: SIM115
    console.print(table)
    return console.export_text()


def test_a_comparison_is_told_with_intervals_verdicts_and_cost_in_eighty_columns() -> None:
    text = _printed(comparison_table(_comparison()))
    assert max(map(len, text.splitlines())) <= 80
    assert "digits (01970000-0000-7000-8000-000000000000): 12 succeeded; 2 shared" in text
    assert "11.50 ± 1.87  9.54 to 13.46" in text
    assert "10.50 (-1.00)" in text  # best on test beside the reported one, with its gap
    (difference,) = [line.split() for line in text.splitlines() if line.split()[-1:] == ["better"]]
    assert difference == ["mixup", "6", "-2.50", "-3.95", "to", "-1.05", "0.007", "0.031", "better"]
    assert "At 1,000 forward-backward passes a run, what the cheapest arm takes" in " ".join(text.split())


def test_what_hampers_a_reading_is_told() -> None:
    text = " ".join(
        _printed(comparison_table(_comparison(complete=False, primary=False, unlike=("data.kind",)))).split()
    )
    assert "UNLIKE: arms differ in data.kind, so that a difference is not the method's alone" in text
    assert "no verdict before the last of them" in text
    assert "not the metric that was declared as the primary one" in text
    assert " pending" in text
    assert " better" not in text


def test_before_the_first_pair_the_states_of_runs_are_told() -> None:
    text = _printed(comparison_table(_comparison() | {"analysis": None}))
    assert "No seed has finished in two arms yet" in text
    assert "6 succeeded" in text


def test_the_list_names_arms_and_states_and_marks_what_is_unlike() -> None:
    line = {"id": "i", "name": "digits", "unlike": ["data.kind"], "arms": ["erm", "mixup"], "runs": {"queued": 4}}
    assert " ".join(_printed(comparisons_table([line])).split()).endswith("i digits (unlike) erm, mixup 4 queued")
    assert "mmix compare FILE" in str(comparisons_table([]))


@pytest.mark.parametrize(
    ("text", "place", "code"),
    [
        (SOURCE.replace("baseline: erm", "baseline: sgd"), "baseline: There is no arm of this name (given: 'sgd')", 2),
        (SOURCE.replace("alpha: 1.0", "alpha: 0"), "arms.1.replace.mixing.alpha", 2),
        (SOURCE.replace("seeds: [0, 1]", "seeds: [0, 0]"), "seeds: Each seed may stand once", 2),
        ("just words", "the document", 2),
        (SOURCE, "http://127.0.0.1:9 can't be reached", 1),
    ],
    ids=["baseline", "arm", "seeds", "words", "service"],
)
def test_what_can_not_be_compared_is_told_in_one_line(tmp_path: Path, text: str, place: str, code: int) -> None:
    path = tmp_path / "comparison.yaml"
    path.write_text(text)
    with temporary_home() as home:
        found = subprocess.run(
            [str(Path(sys.executable).parent / "mmix"), "compare", str(path)],
            capture_output=True,
            text=True,
            env={**os.environ, "MMIX_HOME": str(home), "MMIX_URL": "http://127.0.0.1:9"},
            timeout=60,
        )
    assert found.returncode == code, found.stderr
    (line,) = found.stderr.strip().splitlines()
    assert place in line
