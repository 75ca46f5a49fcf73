"""Pictures of what was found, drawn from JSON data alone."""

from mmix.figures.canvas import Format as Format
from mmix.figures.drawing import draw as draw
from mmix.figures.shapes import KINDS as KINDS
from mmix.figures.shapes import Kind as Kind
