"""What the documents say is so."""

import re
from pathlib import Path
from typing import get_args

import pytest
import typer.main

from api.compared import ComparisonRequest
from mmix.cli import app
from mmix.cli.demonstration import specs
from mmix.spec import document
from mmix.spec.mixing import Mixing

ROOT = Path(__file__).parents[2]
COMPARISONS = sorted((ROOT / "examples" / "comparisons").glob("*.yaml"))
EXAMPLES = sorted({*(ROOT / "examples").rglob("*.yaml")} - {*COMPARISONS})
README = (ROOT / "README.md").read_text()


@pytest.mark.parametrize("path", EXAMPLES, ids=[path.name for path in EXAMPLES])
def test_every_example_is_a_valid_spec(path: Path) -> None:
    assert document.load(path).training.epochs > 0


@pytest.mark.parametrize("path", COMPARISONS, ids=[path.name for path in COMPARISONS])
def test_every_example_of_a_comparison_can_be_posted(path: Path) -> None:
    assert ComparisonRequest.model_validate(document.read(path)).entrants


def test_the_demo_is_what_the_digits_examples_say() -> None:
    examples = [document.load(ROOT / "examples" / f"digits-{name}.yaml") for name in ("erm", "input", "manifold")]
    assert specs() == examples


def test_every_make_target_of_the_readme_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"(?:`|^)make ([a-z-]+)\b", README, re.MULTILINE))
    assert {"run", "test", "demo", "setup", "check"} <= named
    assert named <= targets


def test_every_command_is_in_the_readme() -> None:
    commands = set(typer.main.get_command(app).commands)  # type: ignore[attr-defined]
    assert commands == {
        "up", "demo", "train", "submit", "compare", "comparison", "list", "show", "leaderboard", "withdraw",
        "cancel", "retry", "queue", "drain", "worker", "dispatcher", "doctor", "data", "model", "migrate", "schema",
        "backup", "restore", "log", "prune", "suite", "figure",
    }  # fmt: skip
    assert [name for name in commands if f"mmix {name}" not in README] == []


def test_links_between_documents_lead_somewhere() -> None:
    for path in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")]:
        for target in re.findall(r"\]\(([^)#:]+)\)", path.read_text()):
            assert (path.parent / target).exists(), f"{path}: {target}"


KINDS = [get_args(member.model_fields["kind"].annotation)[0] for member in get_args(get_args(Mixing)[0])]


@pytest.mark.parametrize("kind", KINDS)
def test_every_mixing_method_has_a_card_with_all_that_a_card_says(kind: str) -> None:
    card = (ROOT / "docs" / "methods" / f"{kind}.md").read_text()
    assert card.startswith(f"# {kind}\n")
    for part in ("**Formula.**", "**Settings in the papers.**", "**Cost.**", "**When it hurts.**"):
        assert part in card
    assert f"({kind}.md)" in (ROOT / "docs" / "methods" / "README.md").read_text()
