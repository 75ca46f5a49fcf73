"""Pictures of the plane: decisions, toy data sets, and hidden states."""

from collections.abc import Iterable, Sequence
from statistics import fmean
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from mmix.figures import canvas, style
from mmix.figures.arms import BoundaryPanel
from mmix.figures.documents import BoundaryDocument, HiddenDocument
from mmix.figures.shapes import Boundary, Hidden, Toy

Floats = NDArray[np.float64]
_TINT = 0.45  # of a class's colour, where the network is certain of the class
_SHOWN = 600  # points in a panel; of more nothing is seen, and an SVG grows heavy
_NETWORK = {"colors": "black", "linewidths": 1.4, "linestyles": "solid", "zorder": 3}
_BAYES = {"colors": "black", "linewidths": 0.9, "linestyles": "dashed", "zorder": 3}


def boundary(data: Boundary) -> Figure:
    """Where each network decides for which class, the paler the less certain, and the training points."""
    classes = _most_classes([panel.document.classes for panel in data.panels])
    known = any(panel.document.bayes is not None for panel in data.panels)
    lines: dict[str, Any] = {"decision of the network": "-"} | ({"decision of the Bayes rule": "--"} if known else {})
    return _decisions(data.panels, classes, lines)


def toy(data: Toy) -> Figure:
    """Training points over the decision of the Bayes rule."""
    classes = _most_classes([panel.document.classes for panel in data.panels])
    best = [panel.model_copy(update={"document": _best(panel.document)}) for panel in data.panels]
    return _decisions(best, classes, {"decision of the Bayes rule": "-"})


def hidden(data: Hidden) -> Figure:
    """Where each network puts test samples in its narrowest layer."""
    classes = _most_classes([panel.document.classes for panel in data.panels])
    handles, labels = _class_handles(classes), _class_names(classes)
    figure, rows, columns = canvas.panelled(len(data.panels), side=1.0, legend=labels)
    grid = figure.subplots(rows, columns, squeeze=False)
    for panel, axes in zip(data.panels, grid.flat, strict=False):
        _states(axes, panel.document)
        axes.set_title(style.wrapped(panel.label, width=canvas.letters(figure, columns=columns)))
    _blank(grid.flat[len(data.panels) :])
    canvas.legend(figure, handles, labels)
    return figure


def _decisions(panels: Sequence[BoundaryPanel], classes: Sequence[str], lines: dict[str, Any]) -> Figure:
    handles = _class_handles(classes) + [Line2D([], [], color="black", linestyle=dash) for dash in lines.values()]
    labels = [*_class_names(classes), *lines]
    figure, rows, columns = canvas.panelled(len(panels), side=_side(panels), legend=labels)
    grid = figure.subplots(rows, columns, squeeze=False)
    for panel, axes in zip(panels, grid.flat, strict=False):
        _regions(axes, panel.document)
        _points(axes, np.array(panel.document.points).reshape(-1, 2), panel.document.labels, len(classes))
        axes.set_title(style.wrapped(panel.label, width=canvas.letters(figure, columns=columns)))
        axes.grid(visible=False)
    for axes in grid[:, 0]:
        axes.set_ylabel("x₂ [raw coordinate]")
    for axes in grid.flat[max(0, len(panels) - columns) : len(panels)]:
        axes.set_xlabel("x₁ [raw coordinate]")
    _blank(grid.flat[len(panels) :])
    canvas.legend(figure, handles, labels)
    return figure


def _side(panels: Sequence[BoundaryPanel]) -> float:
    """How high the panels' grids are for their width, on average.

    The axes get (nearly) this shape from the figure's: matplotlib's layout misplaces a legend below axes that insist.
    """
    grids = [panel.document for panel in panels]
    side = fmean((grid.y[-1] - grid.y[0]) / (grid.x[-1] - grid.x[0]) for grid in grids)
    return min(1.6, max(0.5, side))


def _best(document: BoundaryDocument) -> BoundaryDocument:
    """The document with the Bayes rule, which is never in doubt, in the place of the network."""
    assert document.bayes is not None
    certain = np.eye(len(document.classes))[np.array(document.bayes)]
    return document.model_copy(update={"probabilities": certain, "bayes": None})


def _regions(axes: Axes, document: BoundaryDocument) -> None:
    x, y = np.array(document.x), np.array(document.y)
    probabilities = np.array(document.probabilities)
    half = (x[1] - x[0]) / 2, (y[1] - y[0]) / 2
    axes.imshow(
        _tints(probabilities),
        origin="lower",
        extent=(x[0] - half[0], x[-1] + half[0], y[0] - half[1], y[-1] + half[1]),
        interpolation="bilinear",
        aspect="auto",
    )
    _borders(axes, x, y, probabilities, _NETWORK)
    if document.bayes is not None:
        _borders(axes, x, y, np.eye(len(document.classes))[np.array(document.bayes)], _BAYES)
    axes.set_xlim(x[0], x[-1])
    axes.set_ylim(y[0], y[-1])


def _tints(probabilities: Floats) -> Floats:
    """(Y, X, 3): the colour of the likeliest class, and white where no class is likelier than by chance."""
    colours = np.array([to_rgb(look.colour) for look in style.class_looks(probabilities.shape[2])])
    largest = probabilities.max(2, keepdims=True)
    chance = 1 / probabilities.shape[2]
    certain = np.clip((largest - chance) / max(1 - chance, chance), 0, 1)
    tints: Floats = 1 - _TINT * certain * (1 - colours[probabilities.argmax(2)])
    return tints


def _borders(axes: Axes, x: Floats, y: Floats, probabilities: Floats, look: dict[str, Any]) -> None:
    """The lines between two classes that are likelier than all others."""
    for place in range(probabilities.shape[2] - 1):
        # Against the classes after it alone, and where none before it is likelier: drawn from either side, the dashes
        # of a line would fill each other's gaps.
        lead = probabilities[:, :, place] - probabilities[:, :, place + 1 :].max(2)
        before = probabilities[:, :, :place].max(2, initial=0.0)
        lead = np.where(before > probabilities[:, :, place:].max(2), np.nan, lead)
        if np.nanmin(lead, initial=0.0) < 0 < np.nanmax(lead, initial=0.0):
            axes.contour(x, y, lead, levels=[0.0], **look)


def _points(axes: Axes, points: Floats, labels: Sequence[int], classes: int) -> None:
    every = max(1, -(-len(points) // _SHOWN))
    points, kept = points[::every], np.array(labels, dtype=int)[::every]
    size = float(np.clip(3000 / max(1, len(points)), 2.5, 14))
    for place, look in enumerate(style.class_looks(classes)):
        chosen = points[kept == place]
        axes.plot(
            chosen[:, 0],
            chosen[:, 1],
            look.marker,
            color=look.colour,
            markersize=size**0.5,
            markeredgecolor="white",
            markeredgewidth=0.25,
            linestyle="none",
        )


def _states(axes: Axes, document: HiddenDocument) -> None:
    coordinates = np.array(document.coordinates)
    if document.width == 1:  # one number a sample: classes above each other
        coordinates = np.column_stack([coordinates[:, 0], document.labels])
    _points(axes, coordinates, document.labels, len(document.classes))
    names = _coordinate_names(document)
    axes.set_xlabel(names[0])
    axes.set_ylabel(names[1])


def _coordinate_names(document: HiddenDocument) -> tuple[str, str]:
    if document.explained is not None:
        first, second = (f"{100 * share:.0f} % of variance" for share in document.explained[:2])
        return f"PC 1 [{first}]", f"PC 2 [{second}]"
    return ("state", "class") if document.width == 1 else ("1st unit's state", "2nd unit's state")


def _class_handles(classes: Sequence[str]) -> list[Line2D]:
    looks = style.class_looks(len(classes))
    return [Line2D([], [], color=look.colour, marker=look.marker, linestyle="none") for look in looks]


def _class_names(classes: Sequence[str]) -> list[str]:
    """The names, which say of themselves that they are classes' where they are bare numbers."""
    return [f"class {name}" if name.isdigit() else name for name in classes]


def _most_classes(classes: Sequence[list[str]]) -> list[str]:
    return max(classes, key=len)


def _blank(axes: Iterable[Axes]) -> None:
    for each in axes:
        each.set_axis_off()
