"""`mmix figure` with files."""

import io
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from mmix.cli import main

CURVES = {"arms": [{"label": "ERM", "runs": ["r1"], "curves": [{"error": [[1, 0.5], [2, 0.25]]}]}]}
BINS = {"low": [0.8], "high": [0.9], "count": [30], "confidence": [0.85], "accuracy": [0.8]}
RELIABILITY = {"kind": "reliability", "version": 1, "units": {}, "ece": {"error": 0.05, **BINS}}

Run = Callable[..., int]


@pytest.fixture
def mmix(monkeypatch: pytest.MonkeyPatch) -> Run:
    """The command in this process; its exit code."""

    def run(*arguments: object) -> int:
        monkeypatch.setattr(sys, "argv", ["mmix", "figure", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        return int(ended.value.code or 0)

    return run


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a figure's data, an artifact, and what is neither."""
    contents: dict[str, Any] = {"curves.json": CURVES, "reliability.json": RELIABILITY, "list.json": [1]}
    for name, content in contents.items():
        (tmp_path / name).write_text(json.dumps(content))
    (tmp_path / "words.json").write_text("just words")
    return tmp_path


def test_data_in_a_file_become_a_picture(mmix: Run, folder: Path) -> None:
    assert mmix("curves", folder / "curves.json", "--out", folder / "curves.png", "--title", "Learning") == 0
    found = Image.open(io.BytesIO((folder / "curves.png").read_bytes()))
    assert (found.info["Title"], json.loads(found.info["Source"])["runs"]) == ("Learning", ["r1"])


def test_artifacts_become_a_panel_each_with_a_label(mmix: Run, folder: Path) -> None:
    paths = [folder / "reliability.json"] * 2
    assert mmix("reliability", *paths, "--label", "first", "--label", "second", "--out", folder / "r.svg") == 0
    drawn = (folder / "r.svg").read_text()
    assert ("first" in drawn, "second" in drawn) == (True, True)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["pie", "curves.json"], "no kind of figure 'pie'; allowed: boundary, toy"),
        (["curves", "nothing.json"], "nothing.json can't be read"),
        (["curves", "words.json"], "words.json is no JSON"),
        (["curves", "list.json"], "list.json holds no JSON object"),
        (["hidden", "reliability.json"], "is of kind 'reliability'; allowed: 'hidden'"),
        (["eps", "curves.json"], "arms.0.accuracies: Field required"),
        (["curves"], "give files, or --run, or --comparison"),
        (["curves", "curves.json", "--run", "r"], "give files, or --run, or --comparison"),
        (["reliability", "reliability.json", "--label", "a", "--label", "b"], "2 labels for 1 files"),
        (["curves", "--comparison", "a", "--comparison", "b"], "only excess_risk shows several"),
    ],
)
def test_what_can_not_be_drawn_is_wrong_use(
    mmix: Run, folder: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], told: str
) -> None:
    places = [folder / each if each.endswith(".json") else each for each in arguments]
    assert mmix(*places, "--out", folder / "x.svg") == 2
    assert told in " ".join(capsys.readouterr().err.split())
    assert not (folder / "x.svg").exists()


def test_a_picture_goes_where_it_can_be_written_and_ends_in_svg_or_png(
    mmix: Run, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert mmix("curves", folder / "curves.json", "--out", folder / "x.gif") == 2
    assert "ends in neither .svg nor .png" in capsys.readouterr().err
    assert mmix("curves", folder / "curves.json", "--out", folder / "no" / "x.svg") == 1
    assert "x.svg can't be written: No such file or directory" in capsys.readouterr().err
