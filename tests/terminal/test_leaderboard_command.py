"""`mmix leaderboard` says what must be known beside its numbers, and `rebuild` proves them."""

from collections.abc import Callable
from typing import Any

import pytest
from rich.console import Console
from sqlalchemy import text
from typer.testing import CliRunner

from mmix.cli import app
from mmix.cli.tables import leaderboard_table
from mmix.settings import Settings
from mmix.store import endings
from mmix.store.sessions import Sessions
from tests.conftest import new_lease

FGSM = "fgsm_accuracy@pixel:8/255"
ROW: dict[str, Any] = {
    "label": "input_mixup alpha=1",
    "spec": {"data": {"kind": "digits"}, "model": {"kind": "mlp"}},
    "n": 3,
    "metrics": {"error": {"mean": 0.1, "std": 0.01, "n": 3}, FGSM: {"mean": 0.7, "std": 0.1, "n": 3}},
    "tied": True,
    "masking": {"suspected": 0.5, "n": 2},
}
FIGURE = {"source": "verma2019", "locator": "Table 1a", "selection": "best_on_test", "value": 0.04, "spread": 0.001}


@pytest.fixture
def mmix(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """The command over the test's own database."""
    monkeypatch.setenv("MMIX_HOME", str(settings.home))
    monkeypatch.setenv("MMIX_DATABASE_URL", str(settings.database_url))
    return lambda *arguments: CliRunner().invoke(app, arguments)


def _printed(rows: list[dict[str, Any]], columns: list[str]) -> str:
    console = Console(width=110)
    with console.capture() as captured:
        console.print(leaderboard_table(rows, columns=columns))
    return captured.get()


def test_attacks_and_ties_are_marked_and_the_marks_explained() -> None:
    told = _printed([ROW], ["error", FGSM])
    assert "10.00 ± 1.00 ≈" in told
    assert "70.00 ± 10.00†" in told
    explained = " ".join(told.split())
    assert "† masked gradients are suspected" in explained
    assert "≈ interval overlaps the best row's, by error" in explained


def test_an_attack_that_nobody_looked_at_is_marked_otherwise() -> None:
    told = _printed([ROW | {"masking": {"suspected": None, "n": 0}}], [FGSM])
    assert "70.00 ± 10.00 ≈‡" in told
    assert "‡ nobody looked whether gradients are masked" in " ".join(told.split())


def test_a_published_figure_stands_below_its_row_with_source_and_selection() -> None:
    lines = _printed([ROW | {"published": [FIGURE | {"n": None}]}], ["error"]).splitlines()
    (line,) = [line for line in lines if "verma2019" in line]
    assert "verma2019, Table 1a" in line
    assert "best_on_test" in line
    assert "4.00 ± 0.10" in line


def test_a_rebuild_checks_first_then_mends_then_finds_nothing(mmix: Callable[..., Any], sessions: Sessions) -> None:
    with sessions.begin() as session:
        lease = new_lease(session)
        endings.succeed(session, lease, found={"last": {"error": 0.5}}, provenance={}, seconds=1.0)
        session.execute(text("UPDATE leaderboard SET mean = 0.4 WHERE metric = 'error'"))
    for _ in range(2):
        checked = mmix("leaderboard", "rebuild", "--check")
        assert checked.exit_code == 1
        assert checked.stdout.splitlines() == [
            f"standing {lease.digest} error last",
            "1 standings, 0 groups, 0 seeds are wrong",
        ]
    assert mmix("leaderboard", "rebuild").exit_code == 0
    whole = mmix("leaderboard", "rebuild", "--check")
    assert (whole.exit_code, whole.stdout) == (0, "The leaderboard is what the results come to\n")
