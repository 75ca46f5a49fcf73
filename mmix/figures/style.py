"""How figures look: in print, in grey, and to readers who see fewer colours."""

import textwrap
from dataclasses import dataclass
from itertools import cycle, islice
from typing import Any

INCHES = 5.5  # the text width of a NeurIPS page: printed at that width, fonts have the size they say
_LETTERS = 100  # of a label in a legend, so that what stands behind it is seen
DPI = 200  # of PNG files
INK = "#222222"
NO_BREAK = "\u00a0"  # a space at which no line ends

RC: dict[str, Any] = {
    "font.family": "sans-serif",
    # The first is the one that matplotlib brings. The others are for who opens an SVG without having it: none is wider.
    "font.sans-serif": ["DejaVu Sans", "Verdana", "Arial", "Helvetica", "sans-serif"],
    "font.size": 8,
    "axes.titlesize": 8,
    "axes.labelsize": 8,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "legend.fontsize": 8,
    "figure.titlesize": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.6,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "axes.grid": True,
    "grid.color": "#dddddd",
    "grid.linewidth": 0.5,
    "axes.axisbelow": True,
    "axes.unicode_minus": True,
    "lines.linewidth": 1.4,
    "lines.markersize": 4.5,
    "errorbar.capsize": 2.5,
    "legend.frameon": False,
    "legend.handlelength": 2.8,
    "text.parse_math": False,  # a label is somebody's text: a $ in it is a $
    # Text stays text, so that it can be searched, read aloud and edited, at a third of the bytes of outlines.
    "svg.fonttype": "none",
    "svg.hashsalt": "mmix",  # else ids, and with them the bytes, differ from call to call
}

_BLACK = "#000000"
_ORANGE, _SKY, _GREEN, _BLUE, _VERMILION, _PURPLE = "#E69F00", "#56B4E9", "#009E73", "#0072B2", "#D55E00", "#CC79A7"
"""Source: Okabe and Ito (2008), Color Universal Design; without their yellow, which is lost on white."""
_ARMS = (_BLACK, _BLUE, _VERMILION, _GREEN, _PURPLE, _ORANGE, _SKY)
_CLASSES = (_BLUE, _ORANGE, _GREEN, _PURPLE, _SKY, _VERMILION, "#555555", "#B3B3B3")
_LINES: tuple[Any, ...] = ("-", (0, (5, 1.5)), (0, (1, 1.3)), (0, (6, 1.3, 1, 1.3)), (0, (8, 1.5, 2, 1.5)))
_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "p", "*", "h")


@dataclass(frozen=True)
class Look:
    """A colour, a marker and a dash that no other of twelve shares all of."""

    colour: str
    marker: str
    dashes: Any


def looks(count: int) -> list[Look]:
    """A look for each arm, the first of them black."""
    parts = zip(cycle(_ARMS), cycle(_MARKERS), cycle(_LINES), strict=False)
    return [Look(*part) for part in islice(parts, count)]


def class_looks(count: int) -> list[Look]:
    """A look for each class; colours come again after eight, with other markers."""
    return [Look(*part, "-") for part in islice(zip(cycle(_CLASSES), cycle(_MARKERS), strict=False), count)]


def wrapped(text: str, *, width: int, lines: int = 2) -> str:
    """The text in lines of at most this many letters; what has no room ends in three dots."""
    plain = printable(text)
    return "\n".join(textwrap.wrap(plain, width, max_lines=lines, placeholder=" …", break_on_hyphens=False)) or "?"


def printable(text: str) -> str:
    """The text without what no XML may hold."""
    return "".join(letter if letter.isprintable() or letter == NO_BREAK else " " for letter in text)


def counted(label: str, n: int) -> str:
    """The label, shortened where it is a story, with the number of runs behind it."""
    short = label if len(label) <= _LETTERS else f"{label[: _LETTERS - 1]}…"
    return f"{short} (n{NO_BREAK}={NO_BREAK}{n})"
