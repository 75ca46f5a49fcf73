"""The toy family's study: what it asks for, and what it keeps of earlier sittings."""

import json
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks import gemm, toy_report, toy_study
from benchmarks.toy_study import Task
from mmix.run.many import alone


def line(task: Task, **changes: Any) -> dict[str, Any]:
    """What `train` would keep, with risks that fall with the arm."""
    place = list(toy_report.ARMS).index(task.arm)
    rows = [
        {
            "arm": task.arm,
            "data_set": data_set,
            "classes": task.classes,
            "excess_risk": 0.01 * (5 - place) + 1e-3 * ((data_set * (place + 3)) % 7),
            "bayes_risk": 0.1 + 0.01 * (data_set % 3),
            "normalised_mmlb": 0.1 + 0.01 * (data_set % 5),
        }
        for data_set in range(task.first, task.first + task.count)
    ]
    key = dict(zip(("digest", "seed"), task.key(), strict=True))
    took = {"seconds": 1.0, "wall_seconds": 0.5, "training_seconds": 0.8, "gemm_fraction": 0.5}
    return {**key, "rows": rows, **took, "precision": "fp32", "machine": "a machine", **changes}


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> list[Task]:
    """The runs that were trained, in this process and at no cost."""
    asked: list[Task] = []

    class Pool:
        def __init__(self, *_: Any, **__: Any) -> None: ...
        def __enter__(self) -> "Pool":
            return self

        def __exit__(self, *_: object) -> None: ...
        def shutdown(self, **_: Any) -> None: ...
        def submit(self, _: Any, task: Task) -> Future[dict[str, Any]]:
            asked.append(task)
            future: Future[dict[str, Any]] = Future()
            future.set_result(line(task))
            return future

    monkeypatch.setattr(toy_study, "ProcessPoolExecutor", Pool)
    return asked


def test_the_full_size_is_two_thousand_networks_paired_by_data_set() -> None:
    wanted = toy_study.tasks(400)
    assert sum(task.count for task in wanted) == 2000
    sets = {
        arm: {(task.classes, task.first, task.count) for task in wanted if task.arm == arm} for arm in toy_report.ARMS
    }
    assert len({frozenset(found) for found in sets.values()}) == 1
    assert all(task.count == 10 for task in wanted)


@pytest.mark.parametrize("data_sets", [8, 44, 80])
def test_no_run_has_a_single_data_set_and_none_is_there_twice(data_sets: int) -> None:
    erm = [task for task in toy_study.tasks(data_sets) if task.arm == "erm"]
    assert all(task.count > 1 for task in erm)
    seeds = [task.first + place for task in erm for place in range(task.count)]
    assert len(set(seeds)) == len(seeds) == data_sets


def test_a_realisation_of_the_study_has_one_seed_for_data_and_network() -> None:
    task = toy_study.tasks(400)[0]
    third = alone(task.spec(), 2)
    assert (third.data.seed, third.data.realisations) == (task.first + 2, 1)  # type: ignore[union-attr]


def test_what_the_file_has_is_not_trained_again(tmp_path: Path, trained: list[Task]) -> None:
    wanted = toy_study.tasks(8)
    path = tmp_path / "study.jsonl"
    path.write_text("".join(json.dumps(line(task)) + "\n" for task in wanted[:3]))
    found = toy_study.study(8, path)
    assert trained == wanted[3:]
    assert [each["seed"] for each in found] == [task.first for task in wanted]
    toy_study.study(8, path)
    assert trained == wanted[3:]


def test_a_line_that_was_cut_off_is_passed_over_and_doesnt_spoil_the_next(tmp_path: Path, trained: list[Task]) -> None:
    wanted = toy_study.tasks(8)
    path = tmp_path / "study.jsonl"
    path.write_text(json.dumps(line(wanted[0])) + "\n" + json.dumps(line(wanted[1]))[:50])
    toy_study.study(8, path)
    assert trained == wanted[1:]
    assert len(toy_study.finished(path, wanted)) == len(wanted)


def test_lines_of_another_spec_are_passed_over_and_counted(
    tmp_path: Path, trained: list[Task], capsys: pytest.CaptureFixture[str]
) -> None:
    wanted = toy_study.tasks(8)
    path = tmp_path / "study.jsonl"
    path.write_text(json.dumps(line(wanted[0], digest="0" * 64)) + "\n")
    toy_study.study(8, path)
    assert trained == wanted
    assert "1 lines are of other specs" in capsys.readouterr().err


def test_a_run_keeps_its_rows_and_what_it_took(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(toy_study, "EPOCHS", 1)
    monkeypatch.setattr(toy_study, "TEST_SIZE", 100)
    monkeypatch.setattr(toy_study, "HIDDEN", [16])
    monkeypatch.setattr(gemm, "SIDE", 64)
    kept = toy_study.train(Task("layer 1", classes=3, first=30_000, count=2))
    assert [row["data_set"] for row in kept["rows"]] == [30_000, 30_001]
    assert set(kept["rows"][0]) <= {"arm", "data_set", "classes", *toy_study.METRICS}
    assert kept["gemm_fraction"] > 0
    json.dumps(kept, allow_nan=False)


def test_a_step_costs_three_products_a_layer_but_for_the_inputs_gradient() -> None:
    assert gemm.step_flops((2, 512, 5), batch_size=50) == 2 * 50 * (2 * 2 * 512 + 3 * 512 * 5)


def test_the_report_compares_every_arm_with_the_manuscripts_and_says_what_reproduces() -> None:
    text = toy_report.report([line(task) for task in toy_study.tasks(40)])
    assert "| layer 0 | 16.5 |" in text
    assert "The deeper the mixing, the smaller the mean excess risk: reproduces" in text
    assert "Mixing at every depth beats ERM: reproduces" in text
    assert np.isclose(sum(each["wall_seconds"] for each in map(line, toy_study.tasks(40))), 10.0)
    assert "200 networks took 0.2 minutes" in text
