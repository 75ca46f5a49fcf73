"""Accuracy where images are attacked or deformed."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from mmix.errors import FigureError
from mmix.figures import canvas, style
from mmix.figures.arms import AccuraciesArm, AttackedArm, Mean
from mmix.figures.shapes import Eps, Rotation
from mmix.figures.style import Look

_ATTACK = re.compile(r"^(?P<series>fgsm|pgd\d+)_accuracy@(?P<panel>pixel|normalised):(?P<amount>[\d.]+)(?:/255)?$")
_DEFORMATION = re.compile(r"^deform_accuracy@(?P<panel>(?P<series>[a-z_]+)):(?P<amount>[\d.]+)$")
_SPACES = {"pixel": "ε [1/255 of the pixels' range]", "normalised": "ε [standard deviations of the pixels]"}
_DEFORMATIONS = {
    "rotation": "rotation up to ± [degrees]",
    "shear": "shear up to ± [degrees]",
    "zoom_in": "zoomed in on [% of the side]",
    "zoom_out": "zoomed out to [% of the side]",
}
_UNCHANGED = {"zoom_in": 100.0, "zoom_out": 100.0}
"""The amount at which an image is as it was, where that isn't 0."""
_ROW_INCHES = 2.4
_CROSS: dict[str, Any] = {
    "color": style.INK,
    "marker": "x",
    "markersize": 8,
    "markeredgewidth": 1,
    "linestyle": "none",
    "zorder": 3,
}


@dataclass(frozen=True)
class Series:
    """One line: in which panel it is, what was done, and the accuracy at each amount, the smallest first."""

    panel: str
    name: str
    points: Sequence[tuple[float, Mean]]


def eps(data: Eps) -> Figure:
    """Accuracy against eps, FGSM filled and PGD hollow; crosses mark FGSM where masked gradients are suspected."""
    every = [_series(_bounded(arm), _ATTACK) for arm in data.arms]
    suspected = [arm.masking_suspected is not None and arm.masking_suspected > 0 for arm in data.arms]
    keys = _attack_keys(every, suspected=any(suspected))
    labels = [_judged(arm) for arm in data.arms]
    figure, panels = _panels(every, _SPACES, allowed="attacks", legend=[*labels, *keys])
    handles = [_arm(panels, found, look) for found, look in zip(every, style.looks(len(every)), strict=True)]
    for found in [found for found, crossed in zip(every, suspected, strict=True) if crossed]:
        _cross(panels, found)
    for axes in panels.values():
        axes.set_xlim(left=0)
    canvas.legend(figure, [*handles, *keys.values()], [*labels, *keys])
    return figure


def _bounded(arm: AttackedArm) -> AttackedArm:
    """The arm without attacks that may turn any pixel into any other: beside them the rest of an axis has no room."""
    bounded = {metric: found for metric, found in arm.accuracies.items() if not metric.endswith("@pixel:255/255")}
    return arm.model_copy(update={"accuracies": bounded})


def rotation(data: Rotation) -> Figure:
    """Accuracy against the amount of each deformation that any arm was given, a panel each."""
    every = [_series(arm, _DEFORMATION) for arm in data.arms]
    labels = [style.counted(arm.label, _n(arm)) for arm in data.arms]
    figure, panels = _panels(every, _DEFORMATIONS, allowed="deformations", legend=labels)
    handles = [_arm(panels, found, look) for found, look in zip(every, style.looks(len(every)), strict=True)]
    canvas.legend(figure, handles, labels)
    return figure


def _series(arm: AccuraciesArm, pattern: re.Pattern[str]) -> list[Series]:
    """The arm's lines; each begins with the images as they are, where their accuracy is known."""
    found: dict[tuple[str, str], dict[float, Mean]] = {}
    for metric, accuracy in arm.accuracies.items():
        if match := pattern.match(metric):
            found.setdefault((match["panel"], match["series"]), {})[float(match["amount"])] = accuracy
    if arm.clean is not None:
        for (panel, _), points in found.items():
            points.setdefault(_UNCHANGED.get(panel, 0.0), arm.clean)
    return [Series(panel, name, sorted(points.items())) for (panel, name), points in sorted(found.items())]


def _panels(
    every: Sequence[Sequence[Series]], names: Mapping[str, str], *, allowed: str, legend: Sequence[str]
) -> tuple[Figure, dict[str, Axes]]:
    """A figure with axes for each of these panels that has a line.

    Raises: FigureError
    """
    wanted = [panel for panel in names if any(series.panel == panel for found in every for series in found)]
    if not wanted:
        raise FigureError(
            f"No arm has an accuracy that belongs here; allowed: runs whose evaluation asks for {allowed}"
        )
    columns = min(2, len(wanted))
    rows = -(-len(wanted) // columns)
    figure = canvas.sheet(height=rows * _ROW_INCHES + 0.2, legend=legend)
    grid = figure.subplots(rows, columns, squeeze=False, sharey=True)
    panels = dict(zip(wanted, grid.flat, strict=False))
    for panel, axes in panels.items():
        axes.set_xlabel(names[panel])
        axes.set_ylim(0, 100)
    for axes in grid[:, 0]:
        axes.set_ylabel("accuracy [%]")
    for axes in grid.flat[len(wanted) :]:
        axes.set_axis_off()
    grid[0, -1].set_title("mean over n runs ± standard deviation", loc="right")
    return figure, panels


def _arm(panels: Mapping[str, Axes], found: Sequence[Series], look: Look) -> Line2D:
    """Draws the arm's lines; its key for the legend."""
    for series in found:
        hollow = series.name.startswith("pgd")
        panels[series.panel].errorbar(
            [amount for amount, _ in series.points],
            [_per_cent(accuracy.mean) for _, accuracy in series.points],
            [_per_cent(accuracy.std) for _, accuracy in series.points],
            color=look.colour,
            marker=look.marker,
            linestyle=look.dashes,
            markerfacecolor="white" if hollow else look.colour,
            linewidth=0.8 if hollow else style.RC["lines.linewidth"],
            elinewidth=0.8,
        )
    return Line2D([], [], color=look.colour, marker=look.marker, linestyle=look.dashes)


def _cross(panels: Mapping[str, Axes], found: Sequence[Series]) -> None:
    for series in found:
        if series.name == "fgsm":
            attacked = [(amount, _per_cent(accuracy.mean)) for amount, accuracy in series.points if amount > 0]
            panels[series.panel].plot(*np.array(attacked).T, **_CROSS)


def _attack_keys(every: Sequence[Sequence[Series]], *, suspected: bool) -> dict[str, Line2D]:
    """What the markers mean: a key for each attack, and one for the suspicion where there is one."""
    names = sorted({series.name for found in every for series in found})
    keys = {
        name.upper().replace("PGD", "PGD-"): Line2D(
            [], [], color=style.INK, marker="o", linestyle="none", markerfacecolor=_face(name)
        )
        for name in names
    }
    return keys | ({"gradient masking suspected": Line2D([], [], **_CROSS)} if suspected else {})


def _face(name: str) -> str:
    return "white" if name.startswith("pgd") else style.INK


def _judged(arm: AttackedArm) -> str:
    """The arm's label with the number of runs, and the share of them whose FGSM is not to be trusted."""
    match arm.masking_suspected:
        case None:
            told = "; masking not assessed"
        case 0.0:
            told = ""
        case share:
            told = f"; masking suspected in {share:.0%}".replace("%", f"{style.NO_BREAK}%")
    return style.counted(arm.label, _n(arm))[:-1] + told + ")"


def _n(arm: AccuraciesArm) -> int:
    return max((accuracy.n for accuracy in arm.accuracies.values()), default=0)


def _per_cent(value: float | None) -> float:
    return np.nan if value is None else 100 * value
