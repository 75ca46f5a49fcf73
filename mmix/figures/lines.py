"""What happens over epochs: learning curves, and ConfMix's alpha."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from mmix.errors import FigureError
from mmix.figures import canvas, style, units
from mmix.figures.arms import Curves
from mmix.figures.shapes import Alpha, LearningCurves
from mmix.figures.style import Look

Floats = NDArray[np.float64]
BANDS = 4  # arms: of more, bands hide each other and are left out
_MARKED = 20  # points of a line that has a marker at each
_ALPHA = "confmix_alpha"
_FIFTHS = tuple(f"{_ALPHA}_share@{low / 5:.1f}-{(low + 1) / 5:.1f}" for low in range(5))


def learning_curves(data: LearningCurves) -> Figure:
    """The mean over runs at each epoch that all of an arm's runs have, in a band of one standard deviation."""
    tables = [_table(arm.curves, data.metric) for arm in data.arms]
    if not any(np.isfinite(values).any() for _, values in tables):
        known = sorted({name for arm in data.arms for curves in arm.curves for name in curves})
        raise FigureError(
            f"No arm has a curve of {data.metric!r} that all its runs share; allowed: {', '.join(known) or 'none yet'}"
        )
    labels = [style.counted(arm.label, len(values)) for arm, (_, values) in zip(data.arms, tables, strict=True)]
    figure = canvas.sheet(height=3.0, legend=labels)
    axes = figure.subplots()
    drawn = []
    for (epochs, values), look in zip(tables, style.looks(len(labels)), strict=True):
        shown = values * units.factor(data.metric)
        drawn.append(_line(axes, epochs, _mean(shown), look))
        if _is_banded(tables) and len(shown) > 1:
            spread = shown.std(0, ddof=1)
            _band(axes, epochs, _mean(shown) - spread, _mean(shown) + spread, look)
    _over_epochs(axes)
    axes.set_ylabel(units.axis(data.metric))
    axes.set_title("mean over n runs" + (" ± standard deviation" if _is_banded(tables) else ""), loc="right")
    canvas.legend(figure, drawn, labels)
    return figure


def alpha(data: Alpha) -> Figure:
    """The mean alpha of an epoch's samples, in a band from the lower to the upper quartile."""
    tables = [_table(arm.curves, _ALPHA) for arm in data.arms]
    if not any(np.isfinite(values).any() for _, values in tables):
        raise FigureError(f"No arm has a curve of {_ALPHA!r}; allowed: runs of confmix with epochs after its warm-up")
    labels = [style.counted(arm.label, len(values)) for arm, (_, values) in zip(data.arms, tables, strict=True)]
    figure = canvas.sheet(height=2.8, legend=labels)
    axes = figure.subplots()
    drawn = []
    for arm, (epochs, values), look in zip(data.arms, tables, style.looks(len(labels)), strict=True):
        drawn.append(_line(axes, epochs, _mean(values), look))
        if len(labels) <= BANDS:
            _band(axes, *_quartiles(arm.curves), look)
    _over_epochs(axes)
    axes.set_xlim(left=0)
    axes.set_ylim(0, 1)
    axes.set_ylabel("α of the samples")
    axes.set_title("mean" + (", and the middle half of the samples" if len(labels) <= BANDS else ""), loc="right")
    canvas.legend(figure, drawn, labels)
    return figure


def _table(curves: Sequence[Curves], metric: str) -> tuple[list[int], Floats]:
    """The epochs, and the values (runs, epochs) of the runs that have this curve."""
    found = [dict(run[metric]) for run in curves if run.get(metric)]
    epochs = sorted({epoch for run in found for epoch in run})
    values = np.array([[run.get(epoch) for epoch in epochs] for run in found], dtype=np.float64)
    values = values.reshape(len(found), len(epochs))
    # A mean over fewer runs from some epoch on would jump there, and be taken for a change in the networks.
    return epochs, np.where(np.isnan(values).any(0), np.nan, values)


def _quartiles(curves: Sequence[Curves]) -> tuple[list[int], Floats, Floats]:
    """The epochs and both quartiles, which are interpolated within the fifths of [0, 1] that the curves count."""
    tables = [_table(curves, name) for name in _FIFTHS]
    epochs = tables[0][0]
    if any(found != epochs for found, _ in tables) or not epochs:
        return [], np.empty(0), np.empty(0)
    shares = np.array([_mean(values) for _, values in tables])
    below = np.concatenate([np.zeros((1, len(epochs))), shares.cumsum(0)])
    found = np.array([np.interp((0.25, 0.75), column, np.linspace(0, 1, 6)) for column in below.T])
    found[np.isnan(shares).any(0)] = np.nan
    return epochs, found[:, 0], found[:, 1]


def _mean(values: Floats) -> Floats:
    return values.mean(0) if len(values) else np.empty(0)


def _is_banded(tables: Sequence[tuple[list[int], Floats]]) -> bool:
    return len(tables) <= BANDS and any(len(values) > 1 for _, values in tables)


def _line(axes: Axes, x: Sequence[float], y: Floats, look: Look) -> Line2D:
    every = max(1, len(x) // _MARKED * 2)
    (line,) = axes.plot(x, y, color=look.colour, linestyle=look.dashes, marker=look.marker, markevery=every)
    return line


def _band(axes: Axes, x: Sequence[float], low: Floats, high: Floats, look: Look) -> None:
    axes.fill_between(x, low, high, color=look.colour, alpha=0.18, linewidth=0)


def _over_epochs(axes: Axes) -> None:
    axes.set_xlabel("epochs done")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
