"""Comparisons as people read them in a terminal, in eighty columns."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from mmix.cli.tables import heading, is_share, shown

Json = Mapping[str, Any]

_UNIT_OF = {"forward_backward_passes": "forward-backward passes", "device_seconds": "device-seconds"}


def comparison_table(comparison: Json) -> Group:
    """What is compared and how far it has come; below, as far as there is an analysis, what it says."""
    analysis = comparison["analysis"]
    told = [Text(line) for line in _head(comparison)]
    if analysis is None:
        return Group(*told, _states_table(comparison), Text("No seed has finished in two arms yet: no analysis"))
    return Group(*told, *_tables(analysis), *(Text(line) for line in _remarks(analysis)))


def comparisons_table(items: Sequence[Json]) -> Table | str:
    """The comparisons, a row each."""
    if not items:
        return "There is no comparison: `mmix compare FILE` makes one"
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column("comparison", no_wrap=True)
    for name in ("name", "arms", "runs"):
        table.add_column(name, overflow="fold")
    for each in items:
        table.add_row(each["id"], each["name"] + _mark(each), ", ".join(each["arms"]), _counts(each["runs"]))
    return table


def _head(comparison: Json) -> Iterator[str]:
    runs = [run for arm in comparison["arms"] for run in arm["runs"]]
    shared = sum(run["shared"] for run in runs)
    counts = _counts(Counter(run["state"] for run in runs)) + (f"; {shared} shared" if shared else "")
    yield f"{comparison['name']} ({comparison['id']}): {counts}"
    if comparison["unlike"]:
        places = ", ".join(comparison["unlike"])
        yield f"UNLIKE: arms differ in {places}, so that a difference is not the method's alone"


def _mark(comparison: Json) -> str:
    return " (unlike)" if comparison["unlike"] else ""


def _counts(states: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {state}" for state, count in states.items())


def _states_table(comparison: Json) -> Table:
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for name in ("arm", "method", "runs"):
        table.add_column(name, overflow="fold")
    for arm in comparison["arms"]:
        table.add_row(arm["name"], arm["label"], _counts(Counter(run["state"] for run in arm["runs"])))
    return table


def _tables(analysis: Json) -> Iterator[RenderableType]:
    yield _arms_table(analysis)
    if analysis["differences"]:
        yield _differences_table(analysis)
    yield _cost_table(analysis)
    for view in analysis["matched"]:
        if any(arm["cost"].get(view["by"]) != view["budget"] for arm in analysis["arms"]):  # else it says no more
            yield _matched_table(view, analysis)


def _arms_table(analysis: Json) -> Table:
    metric = analysis["metric"]
    table = Table(title=f"{heading(metric)} over seeds", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column("arm", overflow="fold")
    named = ("n", "last epoch,\nmean ± std", "95 % interval", "median of\nlast ten", "best on test\n(oracle)")
    for name in named:
        table.add_column(name, justify="right", no_wrap=True)
    for arm in analysis["arms"]:
        beside = [_beside(metric, arm["selections"].get(name)) for name in ("median_of_last_ten", "best_on_test")]
        cells = (str(arm["n"]), _mean(metric, arm), _interval(metric, arm["interval"]), *beside)
        table.add_row(arm["name"], *cells)
    return table


def _differences_table(analysis: Json) -> Table:
    metric, points = analysis["metric"], " in points" if is_share(analysis["metric"]) else ""
    title = f"Against {analysis['baseline']}: paired differences{points}"
    table = Table(title=title, box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column("arm", overflow="fold")
    for name in ("n", "difference", "95 % interval", "p\n(Holm)", "p, signs\nflipped"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("verdict", no_wrap=True)
    for each in analysis["differences"]:
        flips = each["sign_flip"]
        numbers = (_value(metric, each["mean"]), _interval(metric, each["interval"]), _p(each["p_holm"]))
        table.add_row(each["arm"], str(each["n"]), *numbers, _p(flips and flips["p"]), each["verdict"])
    return table


def _cost_table(analysis: Json) -> Table:
    kinds = [kind for kind in ("epochs", *_UNIT_OF) if any(kind in arm["cost"] for arm in analysis["arms"])]
    table = Table(title="Cost of a run", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column("arm", overflow="fold")
    for kind in kinds:
        table.add_column(_UNIT_OF.get(kind, kind).replace(" ", "\n"), justify="right", no_wrap=True)
    for arm in analysis["arms"]:
        costs = [arm["cost"].get(kind) for kind in kinds]
        table.add_row(arm["name"], *("-" if cost is None else f"{cost:,.4g}" for cost in costs))
    return table


def _matched_table(view: Json, analysis: Json) -> Table:
    metric = analysis["metric"]
    title = f"At {view['budget']:,.4g} {_UNIT_OF[view['by']]} a run, what the cheapest arm takes"
    table = Table(title=title, box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column("arm", overflow="fold")
    for name in ("epoch", "n", "mean ± std", "difference", "p\n(Holm)"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("verdict", no_wrap=True)
    differences = {each["arm"]: each for each in view["differences"]}
    for arm in view["arms"]:
        against = differences.get(arm["name"])
        told = (
            ("", "", "")
            if against is None
            else (_value(metric, against["mean"]), _p(against["p_holm"]), against["verdict"])
        )
        epoch = "-" if arm["epoch"] is None else str(arm["epoch"])
        table.add_row(arm["name"], epoch, str(arm["n"]), _mean(metric, arm), *told)
    return table


def _remarks(analysis: Json) -> Iterator[str]:
    if not analysis["complete"]:
        yield "Runs are still to end: no verdict before the last of them."
    if not analysis["primary"]:
        yield "This is not the metric that was declared as the primary one."
    for each in analysis["differences"]:
        power = each["power"]
        if power is not None and each["n"] >= power["n_for_80_percent"]:
            difference = _value(analysis["metric"], power["difference"])
            yield f"{each['arm']}: a difference of {difference} would be found with probability {power['power']:.2f}."
        yield from (f"{each['arm']}: {note}." for note in each["notes"])
    for left in analysis["left_out"]:
        yield f"{left['arm']}: {left['units']} left out, as {left['why']}."


def _mean(metric: str, sample: Json) -> str:
    return "-" if sample["mean"] is None else shown(metric, sample["mean"], sample["std"])


def _beside(metric: str, sample: Json | None) -> str:
    """The mean under another selection, and in brackets by how much it differs from the reported one."""
    if sample is None or sample["mean"] is None:
        return "-"
    gap = "" if sample["gap"] is None else f" ({_signed(metric, sample['gap'])})"
    return shown(metric, sample["mean"], None) + gap


def _value(metric: str, value: float | None) -> str:
    return "-" if value is None else shown(metric, value, None)


def _signed(metric: str, value: float) -> str:
    return ("+" if value > 0 else "") + shown(metric, value, None)


def _interval(metric: str, interval: Sequence[float] | None) -> str:
    return "-" if interval is None else f"{_value(metric, interval[0])} to {_value(metric, interval[1])}"


def _p(value: float | None) -> str:
    return "-" if value is None else "<0.001" if value < 0.001 else f"{value:.3f}"
