"""An empty figure, its legend, and its bytes."""

import io
import json
import math
from collections.abc import Sequence
from typing import Any

from matplotlib.artist import Artist
from matplotlib.figure import Figure

import mmix
from mmix.figures import style
from mmix.figures.shapes import Format

_LETTER_INCHES = 0.07  # of the mean letter at 8 points, rounded up
_LINE_INCHES = 0.165
_HANDLE_LETTERS = 8  # a legend's line and the gaps beside it
_PANEL_COLUMNS = 3
NARROW_INCHES = 0.62 * style.INCHES
"""Of a figure with a single panel that isn't wide."""


def sheet(*, height: float, legend: Sequence[str] = (), width: float = style.INCHES) -> Figure:
    """An empty figure with `height` inches for the axes, and as many more as a legend with these labels takes."""
    return Figure(figsize=(width, height + _legend_inches(legend, width)), layout="constrained")


def panelled(count: int, *, side: float, legend: Sequence[str] = ()) -> tuple[Figure, int, int]:
    """A figure for so many panels, their axes `side` times as high as wide, with its rows and columns."""
    rows, columns = arranged(count)
    width = style.INCHES if columns > 1 else NARROW_INCHES
    return sheet(height=rows * ((width / columns - 0.45) * side + 0.55), legend=legend, width=width), rows, columns


def arranged(count: int) -> tuple[int, int]:
    """Rows and columns for so many panels; no row but the last has gaps, and four make a square."""
    columns = 2 if count == 4 else min(count, _PANEL_COLUMNS)
    return math.ceil(count / columns), columns


def letters(figure: Figure, *, columns: int = 1) -> int:
    """How many letters stand side by side above one of the columns."""
    return int((figure.get_figwidth() / columns - 0.25) / _LETTER_INCHES)


def legend(figure: Figure, handles: Sequence[Artist], labels: Sequence[str]) -> None:
    """Puts the legend below the axes, in as many columns as its labels leave room for."""
    width = figure.get_figwidth()
    wanted = [_shortened(label, width) for label in labels]
    figure.legend(handles, wanted, loc="outside lower center", ncols=_legend_columns(labels, width))


def rendered(figure: Figure, *, title: str, source: dict[str, Any], format: Format) -> bytes:
    """The file. Its metadata have the title, the program, and as JSON what the figure rests on; no date, so that the
    same data give the same bytes."""
    program = f"mmix {mmix.__version__}"
    told = {"Title": title, "Source": json.dumps(source, sort_keys=True)}
    metadata = told | ({"Software": program} if format == "png" else {"Creator": program, "Date": None})
    buffer = io.BytesIO()
    figure.savefig(buffer, format=format, dpi=style.DPI, metadata=metadata)
    return buffer.getvalue()


def _legend_columns(labels: Sequence[str], width: float) -> int:
    longest = max(max(map(len, _shortened(label, width).splitlines())) for label in labels)
    return max(1, min(len(labels), 4, int(width / _LETTER_INCHES / (longest + _HANDLE_LETTERS))))


def _legend_inches(labels: Sequence[str], width: float) -> float:
    if not labels:
        return 0.0
    columns = _legend_columns(labels, width)
    tallest = max(_shortened(label, width).count("\n") + 1 for label in labels)
    return math.ceil(len(labels) / columns) * tallest * _LINE_INCHES + 0.1


def _shortened(label: str, width: float) -> str:
    return style.wrapped(label, width=int(width / _LETTER_INCHES) - _HANDLE_LETTERS, lines=3)
