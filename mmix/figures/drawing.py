"""From JSON data to a file with a picture."""

import threading
from collections.abc import Mapping, Sequence
from typing import Any, assert_never

import matplotlib.style
from matplotlib.figure import Figure as Drawn

import mmix
from mmix.figures import canvas, diagrams, exchanges, lines, planes, risk, robustness, shapes, spectra, style
from mmix.figures.arms import Arm
from mmix.figures.shapes import AnyFigure, Format, Json

_ONE_AT_A_TIME = threading.Lock()
"""matplotlib's settings are the process's, and it promises nothing about threads."""


def draw(kind: str, data: Mapping[str, Json], *, format: Format) -> bytes:
    """What `mmix.figures.draw` answers."""
    asked = shapes.read(kind, data)
    with _ONE_AT_A_TIME, matplotlib.style.context(["default", style.RC]):  # whatever a matplotlibrc here says
        figure = drawn(asked)
        if asked.title is not None:
            figure.suptitle(style.wrapped(asked.title, width=canvas.letters(figure)))
        return canvas.rendered(figure, title=style.printable(asked.title or kind), source=_source(asked), format=format)


def drawn(asked: AnyFigure) -> Drawn:
    """The picture, not yet a file.

    Raises: FigureError
    """
    match asked:
        case shapes.Boundary():
            return planes.boundary(asked)
        case shapes.Toy():
            return planes.toy(asked)
        case shapes.ExcessRisk():
            return risk.excess_risk(asked)
        case shapes.LearningCurves():
            return lines.learning_curves(asked)
        case shapes.ErrorNll():
            return exchanges.error_nll(asked)
        case shapes.Reliability():
            return diagrams.reliability(asked)
        case shapes.Spectra():
            return spectra.spectra(asked)
        case shapes.Hidden():
            return planes.hidden(asked)
        case shapes.Eps():
            return robustness.eps(asked)
        case shapes.Rotation():
            return robustness.rotation(asked)
        case shapes.Alpha():
            return lines.alpha(asked)
        case shapes.Cost():
            return exchanges.cost(asked)
        case _:
            assert_never(asked)


def _parts(asked: AnyFigure) -> Sequence[Arm]:
    match asked:
        case shapes.Boundary() | shapes.Toy() | shapes.Reliability() | shapes.Hidden():
            return asked.panels
        case _:
            return asked.arms


def _source(asked: AnyFigure) -> dict[str, Any]:
    """What the figure rests on."""
    found = {
        "kind": asked.kind,
        "mmix": mmix.__version__,
        "comparison": asked.comparison,
        "runs": sorted({run for part in _parts(asked) for run in part.runs}),
        "digests": sorted({digest for part in _parts(asked) for digest in part.digests}),
    }
    return {name: value for name, value in found.items() if value}
