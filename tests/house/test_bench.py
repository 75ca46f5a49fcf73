from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks.bench import MODULES, rewritten, section
from benchmarks.figures import Figure, in_turn, over

DOCUMENT = "# Results\n\nWords.\n\n## one\n\nold\n\n## two\n\nkept\n"


def test_a_module_rewrites_its_own_section_and_no_other() -> None:
    found = rewritten(DOCUMENT, "one", "## one\n\nnew\n")
    assert found == DOCUMENT.replace("old", "new")


def test_a_new_section_goes_to_the_end() -> None:
    assert rewritten(DOCUMENT, "three", "## three\n\nnew\n") == DOCUMENT + "\n## three\n\nnew\n"


def test_a_section_names_the_goal_and_the_verdict_of_each_figure() -> None:
    figures = [over("speed", [1.0, 3.0, 2.0], "times", goal=2.5), over("images", [7.0], "img/s")]
    written = section("one", figures, command="make bench")
    assert "| speed | 2 | times | 1 | 3 | 3 | >= 2.5 | missed |" in written
    assert written.endswith("| images | 7 | img/s | 7 | 7 | 1 |  |  |\n")


@pytest.mark.parametrize(
    ("figure", "line"),
    [
        (over("speed", [2.0], "times", goal=2), "speed 2 times (goal >= 2): met"),
        (over("share", [0.3], "of a run", goal=0.2, sense="<="), "share 0.3 of a run (goal <= 0.2): missed"),
        (over("images", [1234.0], "img/s"), "images 1,234 img/s"),
    ],
)
def test_a_figure_says_whether_its_goal_is_met(figure: Figure, line: str) -> None:
    assert figure.line() == line


def test_two_things_are_timed_in_turn_after_a_round_that_does_not_count() -> None:
    order: list[str] = []

    def timed(name: str) -> Callable[[], float]:
        return lambda: order.append(name) or float(len(order))  # type: ignore[func-returns-value]

    pairs = in_turn(timed("a"), timed("b"), rounds=2)
    assert "".join(order) == "ab" + "ab" + "ba"
    assert pairs == [(3, 4), (6, 5)]


def test_every_benchmark_is_a_module() -> None:
    folder = Path(__file__).parents[2] / "benchmarks"
    assert [name for name in MODULES if not (folder / f"{name}.py").exists()] == []
