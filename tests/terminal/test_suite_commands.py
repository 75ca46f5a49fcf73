"""`mmix suite` without a service: what is refused before anything starts, and what is told."""

from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

from mmix.cli import app
from mmix.cli.suite_run import without_missing
from mmix.cli.suite_tables import results
from mmix.errors import DataMissing
from mmix.suites.catalogue import SUITES, find

CIFAR10 = find("verma-cifar10")
OOD = find("ood")


def test_every_suite_is_listed() -> None:
    listed = CliRunner().invoke(app, ["suite", "list"]).stdout
    assert [suite.name for suite in SUITES if suite.name not in listed] == []


def test_a_suite_is_shown_with_its_data_and_claims() -> None:
    told = CliRunner(env={"COLUMNS": "200"}).invoke(app, ["suite", "show", "verma-cifar10", "--budget", "paper"]).stdout
    assert "cifar10: mmix data prepare cifar10" in told
    assert "table-1a-error-against-none" in told


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["run", "digits", "--budget", "cheap"], "'cheap' is no budget; allowed: quick, standard, paper"),
        (["run", "digits", "--preset", "mine"], "'mine' is no preset; allowed: paper, readme, code"),
        (["table", "digits", "--format", "pdf"], "'pdf' is no format; allowed: text, md, latex, json"),
    ],
)
def test_wrong_words_are_refused_with_what_is_allowed(arguments: list[str], told: str) -> None:
    found = CliRunner(env={"COLUMNS": "200"}).invoke(app, ["suite", *arguments])
    assert found.exit_code == 2
    assert told in found.output


def test_missing_data_are_refused_before_anything_starts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MMIX_HOME", str(tmp_path / "home"))
    found = CliRunner().invoke(app, ["suite", "run", "verma-cifar10", "--local"])
    assert isinstance(found.exception, DataMissing)
    assert not (tmp_path / "home").exists()


def test_missing_data_are_named_with_how_to_get_them() -> None:
    with pytest.raises(DataMissing) as caught:
        without_missing(CIFAR10, CIFAR10.chosen("quick"), set(), what_can=True)
    assert str(caught.value) == (
        "verma-cifar10: no worker has cifar10, which preact18, peers would train on: bring it with "
        "`mmix data prepare cifar10`; nothing can run"
    )


def test_what_can_run_without_missing_data_runs_where_that_is_wanted() -> None:
    studies = OOD.chosen("paper")
    with pytest.raises(DataMissing, match=r"no worker has cifar10 and cifar100 and svhn, .* mnist can run without: "):
        without_missing(OOD, studies, {"mnist", "fashion_mnist"}, what_can=False)
    assert [study.name for study in without_missing(OOD, studies, {"mnist", "fashion_mnist"}, what_can=True)] == [
        "mnist"
    ]
    everything = {"mnist", "fashion_mnist", "cifar10", "cifar100", "svhn"}
    assert list(without_missing(OOD, studies, everything, what_can=False)) == list(studies)


def test_a_terminal_shows_rows_published_figures_and_verdicts() -> None:
    published = {
        "id": "verma2019-x", "locator": "Table 1(a); the slides", "value": 0.0295, "spread": 0.00046, "z": -0.5,
        "difference_from": None, "same_setting": True, "same_budget": False,
    }  # fmt: skip
    row = {"study": "preact18", "metric": "error", "n": 5, "std": 0.001, "interval": [0.02, 0.04]}
    better = {"mean": -0.02, "verdict": "better"}
    found = {
        "suite": "verma-cifar10",
        "budget": "quick",
        "rows": [
            {**row, "arm": "erm", "mean": 0.05, "baseline": True, "difference": None, "published": []},
            {**row, "arm": "manifold", "mean": 0.03, "baseline": False, "difference": better, "published": [published]},
        ],
        "studies": [{"study": "peers", "ended": 3, "runs": 9, "failed": 1}],
        "claims": [{"id": "x", "says": "it errs less", "verdict": "reproduced", "evidence": "preact18: better"}],
    }
    console = Console(width=160, record=True, file=StringIO())
    for part in results(found):
        console.print(part)
    told = " ".join(console.export_text().split())
    assert "error [%] erm 5.00 ± 0.10 5 2.00 to 4.00 baseline" in told
    assert "manifold 3.00 ± 0.10 5 2.00 to 4.00 -2.00 better 2.95 ± 0.05 verma2019, Table 1(a) -0.50 yes, no" in told
    assert "peers: 3 of 9 runs have ended, 1 of them badly" in told
    assert "reproduced it errs less preact18: better" in told
