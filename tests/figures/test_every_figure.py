import io
import json
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import chain
from typing import Any, get_args
from xml.etree import ElementTree

import matplotlib
import matplotlib.style
import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

import mmix
from mmix.errors import FigureError
from mmix.figures import KINDS, draw
from mmix.figures.drawing import drawn
from mmix.figures.shapes import AnyFigure, read
from mmix.figures.style import INCHES, RC
from tests.figures.conftest import DIGESTS, RUNS, Data

AXES = {
    "boundary": ["x₁ [raw coordinate]", "x₂ [raw coordinate]", "decision of the Bayes rule", "class 2"],
    "toy": ["x₁ [raw coordinate]", "x₂ [raw coordinate]", "decision of the Bayes rule", "class 2"],
    "excess_risk": ["[percentage points]", "quartile of the data sets by normalised MMLB [%]", "10 to 12"],
    "curves": ["epochs done", "test error [%]"],
    "error_nll": ["test NLL [nats]", "test error [%]"],
    "reliability": ["confidence [%]", "accuracy [%]", "samples"],
    "spectra": ["index of the value", "singular value,", "[standard deviations]", "mix point 2,", "about their mean"],
    "hidden": ["class 2"],
    "eps": ["ε [1/255 of the pixels' range]", "accuracy [%]", "PGD-20", "gradient masking suspected"],
    "rotation": ["rotation up to ± [degrees]", "zoomed out to [% of the side]", "accuracy [%]"],
    "alpha": ["epochs done", "α of the samples"],
    "cost": ["forward-backward passes of a run [10⁶ images]", "test error [%]"],
}
SVG = "{http://www.w3.org/2000/svg}"


@contextmanager
def laid_out(kind: str, data: Data) -> Iterator[Figure]:
    """The figure as it is drawn, with all its parts in their places."""
    with matplotlib.style.context(["default", RC]):
        figure = drawn(read(kind, data))
        FigureCanvasAgg(figure).draw()  # type: ignore[no-untyped-call]
        yield figure


def texts(svg: bytes) -> list[str]:
    """What an SVG says, with plain spaces."""
    found = ElementTree.fromstring(svg).iter(f"{SVG}text")
    return ["".join(each.itertext()).replace("\u00a0", " ") for each in found]


def test_the_kinds_are_those_of_the_union() -> None:
    members = get_args(get_args(AnyFigure)[0])
    assert [get_args(member.model_fields["kind"].annotation)[0] for member in members] == list(KINDS) == list(AXES)


@pytest.mark.parametrize("kind", KINDS)
def test_an_svg_says_in_text_what_its_axes_count_and_what_its_arms_are(kind: str, data_of: dict[str, Data]) -> None:
    svg = draw(kind, data_of[kind], format="svg")
    said = texts(svg)
    assert [wanted for wanted in AXES[kind] if wanted not in said] == []
    assert [label for label in RUNS if not any(each.startswith(label) for each in said)] == []
    sizes = {float(size) for size in re.findall(r"font(?:-size)?: (?:\S+ )*?([\d.]+)px", svg.decode())}
    assert min(sizes) >= 8


@pytest.mark.parametrize("kind", KINDS)
def test_a_png_is_as_wide_as_a_page_and_names_its_sources(kind: str, data_of: dict[str, Data]) -> None:
    found = Image.open(io.BytesIO(draw(kind, {**data_of[kind], "title": "Tit<l>e", "comparison": "c"}, format="png")))
    assert found.width == 200 * INCHES
    assert found.info["Software"] == f"mmix {mmix.__version__}"
    assert found.info["Title"] == "Tit<l>e"
    assert json.loads(found.info["Source"]) == {
        "kind": kind,
        "mmix": mmix.__version__,
        "comparison": "c",
        "runs": [*chain(*RUNS.values())],
        "digests": [*chain(*DIGESTS.values())],
    }


def test_an_svg_names_the_same_sources(data_of: dict[str, Data]) -> None:
    root = ElementTree.fromstring(draw("curves", data_of["curves"], format="svg"))
    source = root.find(".//{http://purl.org/dc/elements/1.1/}source")
    assert source is not None
    assert json.loads(source.text or "")["runs"] == [*chain(*RUNS.values())]
    assert root.find(".//{http://purl.org/dc/elements/1.1/}date") is None


def test_the_same_data_give_the_same_bytes_whoever_draws_beside(data_of: dict[str, Data]) -> None:
    kinds = ["curves", "boundary", "curves", "boundary"]
    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(lambda kind: draw(kind, data_of[kind], format="svg"), kinds))
    assert found[:2] == found[2:]
    matplotlib.rcParams["font.size"] = 20
    try:
        assert draw("curves", data_of["curves"], format="svg") == found[0]
        assert matplotlib.rcParams["font.size"] == 20
    finally:
        matplotlib.rcdefaults()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("count", [1, 12])
def test_nothing_is_cut_off_and_nothing_overlaps(kind: str, count: int, data_of: dict[str, Data]) -> None:
    (name, (part, *_)), *_ = data_of[kind].items()
    long = [f"{place}: mixing with many settings, each with its value" for place in "123456789abc"]
    labels = ["ERM"] if count == 1 else long
    with laid_out(kind, {name: [{**part, "label": label} for label in labels]}) as figure:
        boxes = {
            f"axes {place}": bounds
            for place, axes in enumerate(figure.axes)
            if axes.axison and (bounds := axes.get_tightbbox()) is not None
        }
        boxes |= {f"legend {place}": legend.get_window_extent() for place, legend in enumerate(figure.legends)}
        page = figure.bbox.padded(1)
        outside = [
            box
            for box, bounds in boxes.items()
            if bounds.x0 < page.x0 or bounds.y0 < page.y0 or bounds.x1 > page.x1 or bounds.y1 > page.y1
        ]
        assert outside == []
        names = list(boxes)
        pairs = [(one, other) for place, one in enumerate(names) for other in names[place + 1 :]]
        assert [pair for pair in pairs if boxes[pair[0]].padded(-1).overlaps(boxes[pair[1]].padded(-1))] == []


@pytest.mark.parametrize("kind", KINDS)
def test_every_point_lies_within_its_axes(kind: str, data_of: dict[str, Data]) -> None:
    figure = drawn(read(kind, data_of[kind]))
    shown = [
        (np.array(line.get_xydata()), axes.get_xlim(), axes.get_ylim())
        for axes in figure.axes
        for line in axes.get_lines()
        if line.get_transform() == axes.transData
    ]
    assert shown
    for points, across, up in shown:
        assert np.isfinite(points).any()
        inside = (points >= (min(across), min(up))) & (points <= (max(across), max(up)))
        assert (inside | np.isnan(points)).all()


@pytest.mark.filterwarnings("ignore:Glyph")
def test_any_label_is_drawn(data_of: dict[str, Data]) -> None:
    labels = ["$\\frac{", "<b>&\"'", "a\x00b\x1b", "_hidden", "  ", "長い名前", "x" * 500, "ERM"]
    curves, boundary = data_of["curves"]["arms"][0], data_of["boundary"]["panels"][0]
    svg = draw("curves", {"arms": [{**curves, "label": label} for label in labels]}, format="svg")
    assert sum("(n = 2)" in each for each in texts(svg)) == len(labels)
    svg = draw("boundary", {"panels": [{**boundary, "label": label} for label in labels]}, format="svg")
    assert {"$\\frac{", "<b>&\"'", "a b", "_hidden", "長い名前", "ERM"} <= set(texts(svg))


def test_an_unknown_kind_is_told_with_those_that_there_are() -> None:
    with pytest.raises(FigureError, match="'pie'; allowed: boundary, toy, excess_risk, curves"):
        draw("pie", {}, format="svg")


@pytest.mark.parametrize("kind", KINDS)
def test_empty_data_are_refused_with_what_is_missing(kind: str, data_of: dict[str, Data]) -> None:
    (name,) = data_of[kind]
    with pytest.raises(FigureError, match=f"{name}: Field required"):
        draw(kind, {}, format="svg")
    with pytest.raises(FigureError, match=rf"{name}: .*at least 1 item.*given: \[\]"):
        draw(kind, {name: []}, format="svg")


def test_more_arms_than_can_be_told_apart_are_refused(data_of: dict[str, Data]) -> None:
    with pytest.raises(FigureError, match="at most 12 items"):
        draw("curves", {"arms": data_of["curves"]["arms"] * 7}, format="svg")


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"arms": [{"label": "a"}]}, r"arms.0.curves: Field required"),
        ({"colour": "red"}, r"colour: .*given: 'red'\); allowed: no field of this name"),
        ({"arms": [{"label": "", "curves": [{}]}]}, r"arms.0.label: String should have at least 1 character"),
        ({"arms": [{"label": "a", "curves": [{"error": [[1]]}]}]}, r"arms.0.curves.0.error.0.1: Field required"),
        ({"arms": [{"label": "a", "curves": [{"error": [["1", 0.5]]}]}]}, r"arms.0.curves.0.error.0.0: .*'1'"),
        ({"metric": "nll"}, "No arm has a curve of 'nll' that all its runs share; allowed: confmix_alpha, .*error"),
    ],
)
def test_what_can_not_be_drawn_is_told_with_its_place(changes: Any, told: str, data_of: dict[str, Data]) -> None:
    with pytest.raises(FigureError, match=told):
        draw("curves", {**data_of["curves"], **changes}, format="svg")
