"""One number of an arm against another: error against NLL, a metric against its cost."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from mmix.errors import FigureError
from mmix.figures import canvas, style, units
from mmix.figures.arms import Arm, Mean
from mmix.figures.shapes import Cost, ErrorNll

_APART = 0.018  # of a cost
_WIDE = 20.0  # times the smallest cost, from which on the axis is logarithmic


def error_nll(data: ErrorNll) -> Figure:
    """Error against NLL, with the standard deviation over runs of both."""
    points = [(arm.nll, arm.error) for arm in data.arms]
    figure, axes = _scattered(data.arms, points, metrics=("nll", "error"))
    axes.set_xlabel(units.axis("nll"))
    axes.set_ylabel(units.axis("error"))
    return figure


def cost(data: Cost) -> Figure:
    """A metric, with its standard deviation over runs, against the mean cost of a run."""
    costs = [arm.cost for arm in data.arms if arm.cost is not None]
    if not costs:
        raise FigureError(f"No arm has a cost in {data.by}; allowed: another cost, once runs have ended")
    divisor, name = units.cost_scale(data.by, max(costs))
    places = _beside([None if arm.cost is None else arm.cost / divisor for arm in data.arms])
    points = [(Mean(mean=place), arm.value) for place, arm in zip(places, data.arms, strict=True)]
    figure, axes = _scattered(data.arms, points, metrics=("cost", data.metric))
    if max(costs) > _WIDE * max(min(costs), 1e-12):
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    else:
        axes.set_xlim(0, 1.1 * max(costs) / divisor)
    axes.set_xlabel(name)
    axes.set_ylabel(units.axis(data.metric))
    return figure


def _scattered(
    arms: Sequence[Arm], points: Sequence[tuple[Mean, Mean]], *, metrics: tuple[str, str]
) -> tuple[Figure, Axes]:
    """The figure with a point for each arm that has both numbers; the legend says which have not."""
    known = [x.mean is not None and y.mean is not None for x, y in points]
    if not any(known):
        raise FigureError(f"No arm has both numbers; allowed: {' and '.join(metrics)} of at least one arm")
    labels = [
        style.counted(arm.label, y.n) if there else f"{arm.label} (no result)"
        for arm, (_, y), there in zip(arms, points, known, strict=True)
    ]
    figure = canvas.sheet(height=3.2, legend=labels)
    axes = figure.subplots()
    factors = [units.factor(metric) for metric in metrics]
    drawn = []
    for (x, y), look in zip(points, style.looks(len(arms)), strict=True):
        (place_x, place_y), (spread_x, spread_y) = _scaled((x, y), factors)
        bars = axes.errorbar(
            place_x,
            place_y,
            spread_y,
            spread_x,
            color=look.colour,
            marker=look.marker,
            linestyle="none",
            elinewidth=1,
        )
        drawn.append(bars.lines[0])
    axes.set_title("mean over n runs ± standard deviation", loc="right")
    canvas.legend(figure, drawn, labels)
    return figure, axes


def _beside(costs: Sequence[float | None]) -> list[float | None]:
    """The costs, those that are alike (as of ERM and Mixup) a little apart, so that bars don't hide each other."""
    alike = [sum(_is_alike(cost, other) for other in costs) for cost in costs]
    before = [sum(_is_alike(cost, other) for other in costs[:place]) for place, cost in enumerate(costs)]
    return [
        None if cost is None else cost * (1 + _APART * (rank - (count - 1) / 2))
        for cost, rank, count in zip(costs, before, alike, strict=True)
    ]


def _is_alike(cost: float | None, other: float | None) -> bool:
    return cost is not None and other is not None and abs(cost - other) <= 0.01 * max(cost, other)


def _scaled(pair: tuple[Mean, Mean], factors: Sequence[float]) -> tuple[list[float], list[float]]:
    """The means and standard deviations as the axes count them; NaN where there is none."""
    means = [np.nan if each.mean is None else each.mean * by for each, by in zip(pair, factors, strict=True)]
    spreads = [np.nan if each.std is None else each.std * by for each, by in zip(pair, factors, strict=True)]
    return means, spreads
