"""Reliability diagrams: whether confidence means what it says."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter
from numpy.typing import NDArray

from mmix.figures import canvas, style
from mmix.figures.arms import ReliabilityPanel
from mmix.figures.documents import Bins
from mmix.figures.shapes import Reliability

Floats = NDArray[np.float64]
_PANEL_INCHES = 2.35
_COLOUR = "#0072B2"
_PALE = "#9ec9e2"
_KEYS = ["accuracy and confidence of a bin", "confidence = accuracy", "samples of a run"]


def reliability(data: Reliability) -> Figure:
    """Accuracy against confidence over bins of equal width, a panel each, and below it how many samples they hold."""
    rows, columns = canvas.arranged(len(data.panels))
    width = style.INCHES if columns > 1 else canvas.NARROW_INCHES
    figure = canvas.sheet(height=rows * _PANEL_INCHES + 0.2, legend=_KEYS, width=width)
    grid = figure.subplots(2 * rows, columns, squeeze=False, sharex=True, height_ratios=[2.2, 1] * rows)
    for place, panel in enumerate(data.panels):
        row, column = divmod(place, columns)
        upper, lower = grid[2 * row, column], grid[2 * row + 1, column]
        _diagram(upper, panel)
        upper.set_title(_headline(panel, letters=canvas.letters(figure, columns=columns)))
        _counts(lower, panel)
        lower.set_xlabel("confidence [%]")
        lower.tick_params(labelbottom=True)
        if column == 0:
            upper.set_ylabel("accuracy [%]")
            lower.set_ylabel("samples")
    for place in range(len(data.panels), rows * columns):
        for axes in grid[2 * (place // columns) : 2 * (place // columns) + 2, place % columns]:
            axes.set_axis_off()
    canvas.legend(figure, _handles(), _KEYS)
    return figure


def _pooled(panel: ReliabilityPanel) -> tuple[Floats, Floats, Floats, Floats, Floats]:
    """Of each bin that has samples: low, high, the mean count of a run, confidence and accuracy over all runs."""
    bins: dict[tuple[float, float], list[Floats]] = {}
    for document in panel.documents:
        for low, high, *row in _rows(document.ece):
            bins.setdefault((round(low, 6), round(high, 6)), []).append(np.array(row))
    edges = np.array(sorted(bins))
    rows = [np.array(bins[low, high]) for low, high in sorted(bins)]
    counts = np.array([row[:, 0].sum() for row in rows])
    means = np.array([row[:, 0] @ row[:, 1:] / row[:, 0].sum() for row in rows])
    return edges[:, 0], edges[:, 1], counts / len(panel.documents), means[:, 0], means[:, 1]


def _rows(found: Bins) -> Sequence[tuple[float, ...]]:
    return list(zip(found.low, found.high, found.count, found.confidence, found.accuracy, strict=True))


def _diagram(axes: Axes, panel: ReliabilityPanel) -> None:
    low, high, _, confidence, accuracy = _pooled(panel)
    axes.bar(100 * low, 100 * accuracy, 100 * (high - low), align="edge", color=_PALE, edgecolor="white", linewidth=0.5)
    axes.plot([0, 100], [0, 100], color=style.INK, linestyle=(0, (4, 2)), linewidth=0.9)
    axes.plot(100 * confidence, 100 * accuracy, "o-", color=_COLOUR, linewidth=1.1, clip_on=False)
    axes.set_xlim(0, 100)
    axes.set_ylim(0, 100)


def _counts(axes: Axes, panel: ReliabilityPanel) -> None:
    low, high, count, _, _ = _pooled(panel)
    axes.bar(100 * low, count, 100 * (high - low), align="edge", color="#888888", edgecolor="white", linewidth=0.5)
    axes.set_yscale("log")
    axes.set_ylim(bottom=0.5)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))


def _headline(panel: ReliabilityPanel, *, letters: int) -> str:
    """The label, and the mean calibration error: that of the pooled bins would let runs make up for each other."""
    errors = 100 * np.array([document.ece.error for document in panel.documents])
    spread = f" ± {errors.std(ddof=1):.1f}" if len(errors) > 1 else ""
    return f"{style.wrapped(panel.label, width=letters)}\nECE {errors.mean():.1f}{spread} % (n = {len(errors)})"


def _handles() -> list[Line2D | Patch]:
    return [
        Line2D([], [], color=_COLOUR, marker="o"),
        Line2D([], [], color=style.INK, linestyle=(0, (4, 2)), linewidth=0.9),
        Patch(color="#888888"),
    ]
