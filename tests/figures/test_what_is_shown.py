"""The numbers behind the pictures."""

import math
from typing import Any

import numpy as np
import pytest
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy import stats

from mmix.errors import FigureError
from mmix.figures import draw
from mmix.figures.drawing import drawn
from mmix.figures.shapes import read
from tests.figures.conftest import Data, mean


def shown(kind: str, data: Data) -> Figure:
    return drawn(read(kind, data))


def heights(figure: Figure, *, x: float) -> tuple[float, float]:
    """The lower and upper end of the first band of the first axes at x."""
    band = next(each for each in figure.axes[0].collections if isinstance(each, PolyCollection))
    corners = np.asarray(band.get_paths()[0].vertices, dtype=float)
    found = corners[corners[:, 0] == x, 1]
    return float(found.min()), float(found.max())


def points(figure: Figure, *, line: int = 0, axes: int = 0) -> NDArray[np.float64]:
    """The points of a line, (N, 2)."""
    return np.asarray(figure.axes[axes].get_lines()[line].get_xydata(), dtype=float)


def ys(kind: str, data: Data) -> list[float]:
    """The heights of the first line's points."""
    found: list[float] = points(shown(kind, data))[:, 1].tolist()
    return found


def labels(kind: str, data: Data) -> list[str]:
    """What the legend says, with plain spaces and in one line each."""
    (legend,) = shown(kind, data).legends
    return [" ".join(text.get_text().replace("\u00a0", " ").split()) for text in legend.get_texts()]


def curves(*runs: list[Any], label: str = "a") -> Data:
    return {"label": label, "curves": [{"error": run} for run in runs]}


def test_a_curve_is_the_mean_in_per_cent_in_a_band_of_one_standard_deviation() -> None:
    data: Data = {"arms": [curves([[1, 0.2], [2, 0.1]], [[1, 0.4], [2, 0.1]])]}
    assert ys("curves", data) == pytest.approx([30, 10])
    spread = 100 * 0.1 * math.sqrt(2)
    assert heights(shown("curves", data), x=1) == pytest.approx((30 - spread, 30 + spread))


def test_a_curve_ends_where_a_run_ends_and_has_a_gap_where_a_number_is_missing() -> None:
    first = [[1, 0.2], [2, None], [3, 0.2], [4, 0.2]]
    second = [[1, 0.4], [2, 0.4], [3, float("nan")]]
    assert ys("curves", {"arms": [curves(first, second)]}) == pytest.approx(
        [30, math.nan, math.nan, math.nan], nan_ok=True
    )


def test_one_run_is_a_line_without_a_band_and_the_legend_counts_it() -> None:
    data: Data = {"arms": [curves([[1, 0.2], [2, 0.1]])]}
    assert shown("curves", data).axes[0].collections[:] == []
    assert labels("curves", data) == ["a (n = 1)"]


def test_bands_are_left_out_where_they_would_hide_each_other() -> None:
    five: Data = {"arms": [curves([[1, 0.2]], [[1, 0.1]], label=str(place)) for place in range(5)]}
    assert shown("curves", five).axes[0].collections[:] == []


def test_the_quartiles_of_alpha_are_interpolated_within_its_fifths(data_of: dict[str, Data]) -> None:
    assert heights(shown("alpha", data_of["alpha"]), x=3) == pytest.approx((0.4, 0.8))
    assert ys("alpha", data_of["alpha"]) == pytest.approx([0.55, 0.6])


def test_excess_risk_is_the_mean_of_a_quartile_with_its_t_interval(data_of: dict[str, Data]) -> None:
    (arm, _), data = data_of["excess_risk"]["arms"], data_of["excess_risk"]
    assert ys("excess_risk", data) == pytest.approx([0.5, 2.5, 4.5, 6.5])  # of 0 and 1, 2 and 3, ... points
    (bars,) = [
        each for each in shown("excess_risk", {"arms": [arm]}).axes[0].collections if isinstance(each, LineCollection)
    ]
    half = np.diff(bars.get_segments()[0][:, 1])[0] / 2
    low, high = stats.t.interval(0.95, 1, loc=0.5, scale=stats.sem([0, 1]))
    assert half == pytest.approx((high - low) / 2)


def test_several_networks_on_one_data_set_count_once(data_of: dict[str, Data]) -> None:
    (arm, _) = data_of["excess_risk"]["arms"]
    data: Data = {"arms": [{**arm, "documents": arm["documents"] * 3}]}
    assert labels("excess_risk", data) == ["ERM (n = 8)"]


def test_three_data_sets_make_no_quartiles(data_of: dict[str, Data]) -> None:
    document = data_of["excess_risk"]["arms"][0]["documents"][0]
    last = {name: values[:3] for name, values in document["results"]["last"].items()}
    few = {**document, "data_seed": [0, 1, 2], "results": {"last": last}}
    with pytest.raises(FigureError, match="3 data sets were given: quartiles need at least 4"):
        draw("excess_risk", {"arms": [{"label": "a", "documents": [few]}]}, format="svg")


def test_an_attack_starts_at_the_clean_accuracy_and_stays_in_its_own_space(data_of: dict[str, Data]) -> None:
    data = data_of["eps"]
    assert ys("eps", data) == pytest.approx([95, 70, 40])
    figure = shown("eps", data)
    lines = [points(figure, line=place)[:, 1].tolist() for place in range(len(figure.axes[0].get_lines()))]
    assert [95.0, 10.0] in lines  # PGD
    assert [axes.get_xlabel() for axes in figure.axes] == [
        "ε [1/255 of the pixels' range]",
        "ε [standard deviations of the pixels]",
    ]


def test_an_attack_without_a_bound_leaves_the_others_their_room(data_of: dict[str, Data]) -> None:
    arms = [
        {**arm, "accuracies": {**arm["accuracies"], "pgd200_accuracy@pixel:255/255": {"mean": 0.0, "std": 0.0, "n": 2}}}
        for arm in data_of["eps"]["arms"]
    ]
    assert shown("eps", {"arms": arms}).axes[0].get_xlim()[1] < 10
    assert labels("eps", {"arms": arms}) == labels("eps", data_of["eps"])


@pytest.mark.parametrize(
    ("share", "told", "crosses"),
    [
        (0.5, "ERM (n = 2; masking suspected in 50 %)", 2),
        (0.0, "ERM (n = 2)", 0),
        (None, "ERM (n = 2; masking not assessed)", 0),
    ],
)
def test_fgsm_is_never_shown_without_what_is_known_of_masking(
    share: float | None, told: str, crosses: int, data_of: dict[str, Data]
) -> None:
    data: Data = {"arms": [{**data_of["eps"]["arms"][0], "masking_suspected": share}]}
    assert labels("eps", data)[0] == told
    marked = [line for axes in shown("eps", data).axes for line in axes.get_lines() if line.get_marker() == "x"]
    assert len(marked) == crosses  # in each space
    assert all(np.asarray(line.get_xdata(), dtype=float).min() > 0 for line in marked)


def test_an_image_as_it_is_stands_at_no_rotation_and_at_the_whole_side(data_of: dict[str, Data]) -> None:
    figure = shown("rotation", data_of["rotation"])
    first = [points(figure, axes=place).tolist() for place in range(4)]
    clean = pytest.approx([0, 95])
    assert [first[0][0], first[1][0]] == [clean, clean]
    assert [first[2][-1], first[3][0]] == [pytest.approx([100, 95])] * 2


def test_the_reliability_of_runs_is_pooled_and_their_calibration_errors_averaged() -> None:
    def run(error: float, count: float, accuracy: float) -> Data:
        bins = {"low": [0.8], "high": [0.9], "count": [count], "confidence": [0.85], "accuracy": [accuracy]}
        return {"ece": {"error": error, **bins}}

    panel: Data = {"label": "a", "documents": [run(0.1, 30, 0.8), run(0.3, 10, 0.4)]}
    figure = shown("reliability", {"panels": [panel]})
    assert points(figure, line=1).tolist() == [pytest.approx([85, 70])]
    assert figure.axes[1].dataLim.y1 == pytest.approx(20)
    assert "ECE 20.0 ± 14.1 % (n = 2)" in figure.axes[0].get_title()


def test_singular_values_are_averaged_over_classes_and_runs_and_zeros_are_left_out() -> None:
    def run(*classes: list[float]) -> Data:
        spectra = [{"name": str(place), "centred": True, "singular_values": each} for place, each in enumerate(classes)]
        return {"points": [{"point": 1, "spectra": spectra}]}

    data: Data = {"arms": [{"label": "a", "documents": [run([4, 1, 0], [2, 1, 0]), run([8, 1, 0], [2, 1, 0])]}]}
    assert ys("spectra", data) == pytest.approx([4, 1, math.nan], nan_ok=True)
    with pytest.raises(FigureError, match=r"no spectrum of all arms at mix point 3; allowed: \[1\]"):
        draw("spectra", {**data, "point": 3}, format="svg")
    with pytest.raises(FigureError, match="nothing for group 'pooled', centred True"):
        draw("spectra", {**data, "group": "pooled"}, format="svg")


def test_arms_of_one_cost_stand_beside_each_other_and_one_without_a_result_is_named() -> None:
    arms: list[Data] = [{"label": label, "cost": 3e6, "value": mean(0.05)} for label in "ab"]
    arms += [{"label": "c", "cost": None, "value": mean(0.05)}]
    figure = shown("cost", {"arms": arms})
    places = [points(figure, line=place)[0, 0] for place in (0, 1)]
    assert places == pytest.approx([2.973, 3.027], abs=1e-3)
    assert labels("cost", {"arms": arms}) == ["a (n = 2)", "b (n = 2)", "c (no result)"]


@pytest.mark.parametrize(
    ("by", "cost", "axis"),
    [
        ("device_seconds", 90, "device time of a run [seconds]"),
        ("device_seconds", 36_000, "device time of a run [hours]"),
        ("forward_backward_passes", 9e9, "forward-backward passes of a run [10⁹ images]"),
        ("epochs", 30, "epochs of a run"),
    ],
)
def test_a_cost_is_counted_in_a_unit_that_suits_it(by: str, cost: float, axis: str) -> None:
    data: Data = {"by": by, "metric": "nll", "arms": [{"label": "a", "cost": cost, "value": mean(0.2)}]}
    axes = shown("cost", data).axes[0]
    assert (axes.get_xlabel(), axes.get_ylabel()) == (axis, "test NLL [nats]")


def test_a_toy_needs_data_whose_bayes_rule_is_known(plane: Data) -> None:
    with pytest.raises(FigureError, match=r"Bayes rule of this data isn't known .*'spiral'.*gaussian_mixture"):
        draw("toy", {"panels": [{"label": "spiral", "document": {**plane, "bayes": None}}]}, format="svg")


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"probabilities": [[[1.0]]]}, r"probabilities has another shape .*\(1, 1, 1\).*\(25, 25, 3\)"),
        ({"labels": [7] * 100}, "There is no such class .*7.*0 to 2"),
        ({"classes": [str(each) for each in range(21)]}, "at most 20 items"),
        ({"x": [1.0] * 25}, "x must rise"),
    ],
)
def test_a_document_that_is_not_whole_is_refused(changes: Data, told: str, plane: Data) -> None:
    with pytest.raises(FigureError, match=told):
        draw("boundary", {"panels": [{"label": "a", "document": {**plane, **changes}}]}, format="svg")


@pytest.mark.parametrize("width", [1, 2])
def test_states_of_one_or_two_units_are_shown_as_they_are(width: int) -> None:
    document: Data = {
        "point": 2,
        "width": width,
        "explained": None,
        "coordinates": [[float(each)] * width for each in range(4)],
        "labels": [0, 0, 1, 1],
        "classes": ["cat", "dog"],
    }
    axes = shown("hidden", {"panels": [{"label": "a", "document": document}]}).axes[0]
    assert axes.get_xlabel() == ("state" if width == 1 else "1st unit's state")
    assert [np.asarray(line.get_xdata()).tolist() for line in axes.get_lines()] == [[0, 1], [2, 3]]
