"""Pictures of what was found, drawn from JSON data alone."""

from collections.abc import Mapping
from importlib import import_module

from mmix.figures.shapes import KINDS as KINDS
from mmix.figures.shapes import Format as Format
from mmix.figures.shapes import Json as Json
from mmix.figures.shapes import Kind as Kind


def draw(kind: str, data: Mapping[str, Json], *, format: Format) -> bytes:
    """The file with the figure: the same bytes for the same data, on one version of matplotlib.

    Raises: FigureError where the data don't make a figure of this kind, or there is no such kind.
    """
    # Here, as matplotlib takes half a second and 30 MB of whoever draws nothing.
    content: bytes = import_module("mmix.figures.drawing").draw(kind, data, format=format)
    return content
