"""Excess risk by how much mixing must err on a data set."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from statistics import fmean

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from mmix.comparison.sample import quantile
from mmix.errors import FigureError
from mmix.figures import canvas, style
from mmix.figures.arms import RisksArm
from mmix.figures.documents import RealisationsDocument
from mmix.figures.lines import BANDS
from mmix.figures.shapes import ExcessRisk

Floats = NDArray[np.float64]
DataSet = tuple[int, float]
"""Its seed, and its normalised MMLB: with both, those of different families are told apart."""
_QUARTILES = 4
_DODGE = 0.08  # of the way to the next quartile, from arm to arm
_ROOM = 0.38  # of the way, on each side


def excess_risk(data: ExcessRisk) -> Figure:
    """The mean excess risk within each quartile of the normalised MMLB, with its 95 % interval over data sets.

    Source: the ConfMix manuscript, Figure 3.
    """
    risks = [_risks(arm) for arm in data.arms]
    quartiles = _quartiles(sorted({known for found in risks for known in found}, key=lambda each: (each[1], each[0])))
    labels = [style.counted(arm.label, len(found)) for arm, found in zip(data.arms, risks, strict=True)]
    figure = canvas.sheet(height=3.0, legend=labels)
    axes = figure.subplots()
    drawn = []
    places = np.arange(1, _QUARTILES + 1)
    reach = min(_ROOM, _DODGE * (len(labels) - 1) / 2)
    shifts = np.linspace(-reach, reach, len(labels))
    for found, look, shift in zip(risks, style.looks(len(labels)), shifts, strict=True):
        means, halves = _intervals(found, quartiles)
        if len(labels) <= BANDS:
            axes.plot(places + shift, means, color=look.colour, linestyle=look.dashes, linewidth=0.7)
        bars = axes.errorbar(places + shift, means, halves, color=look.colour, marker=look.marker, linestyle="none")
        drawn.append(bars.lines[0])
    axes.axhline(0, color=style.INK, linewidth=0.6)
    axes.set_xticks(places, [_spoken(place, members) for place, members in enumerate(quartiles, start=1)])
    axes.set_xlabel("quartile of the data sets by normalised MMLB [%]")
    axes.set_ylabel("excess risk\n[percentage points]")
    axes.set_title("mean over n data sets, 95 % intervals", loc="right")
    canvas.legend(figure, drawn, labels)
    return figure


def _risks(arm: RisksArm) -> dict[DataSet, float]:
    """The excess risk on each data set, the mean where several networks learnt it; without those that lack a number."""
    found: dict[DataSet, list[float]] = {}
    for document in arm.documents:
        for known, risk in _rows(document):
            found.setdefault(known, []).append(risk)
    return {known: fmean(values) for known, values in found.items()}


def _rows(document: RealisationsDocument) -> list[tuple[DataSet, float]]:
    last = document.results["last"]
    rows = zip(document.data_seed, last["normalised_mmlb"], last["excess_risk"], strict=True)
    return [((seed, bound), risk) for seed, bound, risk in rows if bound is not None and risk is not None]


def _quartiles(known: Sequence[DataSet]) -> list[list[DataSet]]:
    """The data sets in four parts (nearly) alike in size, the lowest bound first.

    Raises: FigureError
    """
    if len(known) < _QUARTILES:
        raise FigureError(f"{len(known)} data sets were given: quartiles need at least {_QUARTILES}")
    ends = [round(len(known) * place / _QUARTILES) for place in range(_QUARTILES + 1)]
    return [list(known[low:high]) for low, high in pairwise(ends)]


def _intervals(risks: Mapping[DataSet, float], quartiles: Sequence[Sequence[DataSet]]) -> tuple[Floats, Floats]:
    """The mean of each quartile in percentage points, and half its 95 % interval; NaN where there are too few."""
    groups = [100 * np.array([risks[each] for each in members if each in risks]) for members in quartiles]
    means = np.array([group.mean() if len(group) else np.nan for group in groups])
    halves = [
        quantile(len(group) - 1) * group.std(ddof=1) / len(group) ** 0.5 if len(group) > 1 else np.nan
        for group in groups
    ]
    return means, np.array(halves)


def _spoken(place: int, members: Sequence[DataSet]) -> str:
    return f"{place}\n{100 * members[0][1]:.2g} to {100 * members[-1][1]:.2g}"
