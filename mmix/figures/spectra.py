"""The singular values of the states at mix points."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter
from numpy.typing import NDArray

from mmix.errors import FigureError
from mmix.figures import canvas, style
from mmix.figures.arms import SpectraArm
from mmix.figures.documents import SpectrumDocument
from mmix.figures.lines import BANDS
from mmix.figures.shapes import Spectra
from mmix.figures.style import Look

Floats = NDArray[np.float64]
_PANELS = 6
_TINY = 1e-6  # of the largest singular value: what rounding leaves of a zero
_NARROW = 2.2  # decades, below which an axis has more ticks than its powers of ten


def spectra(data: Spectra) -> Figure:
    """Singular values, falling, on a logarithmic axis, a panel for each mix point; bands are the range over classes."""
    points = _points(data)
    labels = [style.counted(arm.label, len(arm.documents)) for arm in data.arms]
    figure, rows, columns = canvas.panelled(len(points), side=0.8, legend=labels)
    grid = figure.subplots(rows, columns, squeeze=False)
    drawn: list[Line2D] = []
    for point, axes in zip(points, grid.flat, strict=False):
        looks = style.looks(len(labels))
        drawn = [_spectrum(axes, _values(data, arm, point), look) for arm, look in zip(data.arms, looks, strict=True)]
        if data.group == "class" and len(labels) <= BANDS:
            for arm, look in zip(data.arms, looks, strict=True):
                _range(axes, _values(data, arm, point), look)
        axes.set_title(f"mix point {point},\nabout {'their mean' if data.centred else 'zero'}")
        axes.set_xlabel("index of the value")
        axes.xaxis.set_major_locator(MaxNLocator(5, integer=True, min_n_ticks=2))
        _logarithmic(axes)
    for axes in grid.flat[len(points) :]:
        axes.set_axis_off()
    # Once for all panels, and in short lines: beside each of six they would run into each other.
    whose = "mean over classes" if data.group == "class" else "all samples"
    figure.supylabel(f"singular value,\n{whose}\n[standard deviations]", size="medium")
    canvas.legend(figure, drawn, labels)
    return figure


def _points(data: Spectra) -> list[int]:
    """The mix points that all runs have spectra of, or the one that was asked for.

    Raises: FigureError
    """
    every = [{found.point for found in document.points} for arm in data.arms for document in arm.documents]
    shared = sorted(set.intersection(*every))
    if not shared:
        raise FigureError("The arms share no mix point with spectra: draw arms of one model")
    if data.point is not None and data.point not in shared:
        raise FigureError(f"There is no spectrum of all arms at mix point {data.point}; allowed: {shared}")
    return shared[:_PANELS] if data.point is None else [data.point]


def _values(data: Spectra, arm: SpectraArm, point: int) -> Floats:
    """The singular values (groups, R) at the point, averaged over runs; NaN where a run's is none but for rounding.

    Raises: FigureError
    """
    found = [_of_run(document, point, group=data.group, centred=data.centred) for document in arm.documents]
    sizes = {run.shape for run in found}
    if len(sizes) != 1:
        raise FigureError(
            f"The runs of {arm.label!r} have spectra of different sizes ({sorted(sizes)}): draw them apart"
        )
    mean: Floats = np.array(found).mean(0)
    return np.where(mean > _TINY * mean.max(), mean, np.nan)


def _of_run(document: SpectrumDocument, point: int, *, group: str, centred: bool) -> Floats:
    """Singular values (classes or 1, R): as many as all classes have. Raises: FigureError"""
    at_point = next(found for found in document.points if found.point == point)
    rows = [
        spectrum.singular_values
        for spectrum in at_point.spectra
        if spectrum.centred == centred and (spectrum.name == "pooled") == (group == "pooled")
    ]
    if not rows:
        raise FigureError(f"A spectrum at mix point {point} has nothing for group {group!r}, centred {centred}")
    length = min(map(len, rows))
    return np.array([row[:length] for row in rows])


def _spectrum(axes: Axes, values: Floats, look: Look) -> Line2D:
    mean = values.mean(0)
    index = np.arange(1, len(mean) + 1)
    every = max(1, len(mean) // 10)
    (line,) = axes.plot(index, mean, color=look.colour, linestyle=look.dashes, marker=look.marker, markevery=every)
    return line


def _range(axes: Axes, values: Floats, look: Look) -> None:
    index: Sequence[float] = np.arange(1.0, values.shape[1] + 1).tolist()
    axes.fill_between(index, values.min(0), values.max(0), color=look.colour, alpha=0.13, linewidth=0)


def _logarithmic(axes: Axes) -> None:
    axes.set_yscale("log")
    low, high = axes.get_ylim()
    ticks = (1.0, 2.0, 5.0) if np.log10(high / low) < _NARROW else (1.0,)
    axes.yaxis.set_major_locator(LogLocator(subs=ticks))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())
