"""What people read in a terminal; the only place beside pages and LaTeX where fractions become per cent."""

from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from statistics import mean, stdev
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Group
from rich.table import Table
from rich.text import Text

from mmix.spec.evaluation import is_attack

_PER_CENT = ("error", "accuracy", "ece")
_TIED, _SUSPECTED, _UNKNOWN = "≈", "†", "‡"
_MARKS = {_SUSPECTED: "masked gradients are suspected", _UNKNOWN: "nobody looked whether gradients are masked"}
_SELECTIONS = {
    "last": "after the last epoch",
    "median_of_last_ten": "median of the last ten epochs",
    "best_on_test": "best epoch on the test split (an oracle)",
}
_NATS = ("nll", "mixed_kl", "hidden_entropy", "boundary_entropy")


def is_share(metric: str) -> bool:
    """Whether the metric is a fraction that people read in per cent."""
    return any(word in metric for word in _PER_CENT)


def shown(metric: str, average: float, spread: float | None) -> str:
    """A mean and its standard deviation, in per cent where the metric is a fraction."""
    scale, digits = (100, 2) if is_share(metric) else (1, 4)
    value = f"{average * scale:.{digits}f}"
    return value if spread is None else f"{value} ± {spread * scale:.{digits}f}"


def heading(metric: str) -> str:
    """The metric's name with its unit, as a rich heading; attacks are said in words."""
    unit = "%" if is_share(metric) else "nats" if metric.startswith(_NATS) else ""
    name, _, strength = metric.partition("@pixel:")
    words = f"{name.removesuffix('_accuracy').upper()} {strength} accuracy" if strength else name
    return words + (rf" \[{unit}]" if unit else "")


def metrics_table(title: str, runs: Sequence[dict[str, float]]) -> Table:
    """Each metric over the given runs."""
    table = Table(title=f"{title}, {len(runs)} seed{'s' if len(runs) > 1 else ''}, after the last epoch")
    table.add_column("metric")
    table.add_column("mean ± std over seeds" if len(runs) > 1 else "value", justify="right")
    for metric in runs[0]:
        values = [run[metric] for run in runs]
        table.add_row(heading(metric), shown(metric, mean(values), stdev(values) if len(values) > 1 else None))
    return table


def columns_of(rows: Sequence[dict[str, Any]]) -> list[str]:
    """The metrics that a terminal has room for: error, NLL, and FGSM at the largest eps that all rows have."""
    shared = set.intersection(*(set(row["metrics"]) for row in rows)) if rows else set()
    attacks = sorted(
        (name for name in shared if name.startswith("fgsm_accuracy@pixel:")),
        key=lambda name: int(name.split(":")[1].split("/")[0]),
    )
    return [name for name in ("error", "nll") if name in shared] + attacks[-1:]


def leaderboard_table(rows: Sequence[dict[str, Any]], *, columns: Sequence[str], selection: str = "last") -> Table:
    """The leaderboard: mean ± standard deviation over n seeds, with what must be known about the numbers below."""
    table = Table(title=f"Leaderboard: mean ± standard deviation over n seeds, {_SELECTIONS[selection]}")
    table.add_column("mixing", overflow="fold")
    table.add_column("data, model", overflow="fold")
    table.add_column("n", justify="right")
    for name in columns:
        table.add_column(_in_two_lines(heading(name)), justify="right", no_wrap=True)
    for row in rows:
        table.add_row(row["label"], _setting(row["spec"]), str(row["n"]), *_cells(row, columns))
        for figure in row.get("published") or ():
            told = (f"{figure['source']}, {figure['locator']}", figure["selection"], _n(figure))
            table.add_row(*told, shown(columns[0], figure["value"], figure["spread"]), style="italic")
    cells = "".join(cell for row in rows for cell in _cells(row, columns))
    marks = {**_MARKS, _TIED: f"interval overlaps the best row's, by {columns[0]}"} if columns else _MARKS
    table.caption = "; ".join(f"{mark} {words}" for mark, words in marks.items() if mark in cells)
    return table


def _n(figure: dict[str, Any]) -> str:
    return "?" if figure["n"] is None else str(figure["n"])


def _in_two_lines(words: str) -> str:
    """Eighty columns are all that many terminals have."""
    cut = words.find(" accuracy") if " accuracy" in words else words.rfind(" ")
    return words if cut < 0 else f"{words[:cut]}\n{words[cut + 1 :]}"


def _setting(spec: dict[str, Any]) -> str:
    return f"{spec['data'].get('name', spec['data']['kind'])}, {spec['model']['kind']}"


def _cells(row: dict[str, Any], columns: Sequence[str]) -> list[str]:
    found = [row["metrics"].get(name) for name in columns]
    return [
        "-" if each is None else shown(name, each["mean"], each["std"]) + _marks(row, name, is_first=place == 0)
        for place, (name, each) in enumerate(zip(columns, found, strict=True))
    ]


def _marks(row: dict[str, Any], metric: str, *, is_first: bool) -> str:
    """That a row is tied with the best by the metric that sorts, and what is known of an attack's gradients."""
    tied = f" {_TIED}" if is_first and row["tied"] else ""
    if not is_attack(metric):
        return tied
    suspected = row["masking"]["suspected"]
    return tied + (_UNKNOWN if suspected is None else _SUSPECTED if suspected > 0 else "")


def experiments_table(experiments: Sequence[dict[str, Any]]) -> Table:
    """The experiments, a row each, with how many of their runs are in which state."""
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column("experiment", no_wrap=True)
    table.add_column("mixing", overflow="fold")
    table.add_column("data, model", overflow="fold")
    table.add_column("runs", overflow="fold")
    for made in experiments:
        states = Counter(run["state"] for run in made["runs"])
        counts = ", ".join(f"{count} {state}" for state, count in states.items())
        table.add_row(made["id"], made["label"], _setting(made["spec"]), counts)
    return table


def workers_table(workers: Sequence[dict[str, Any]]) -> Table | str:
    """The live workers, a row each."""
    if not workers:
        return "No worker is alive: `mmix up` starts one here, `python -m worker.main` elsewhere"
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for name in ("worker", "host", "devices", "busy", "serves", "data"):
        table.add_column(name, overflow="fold")
    for worker in workers:
        serves = "nobody any more: it gives its runs back" if worker["draining"] else ", ".join(worker["kinds"])
        counts = (str(len(worker["devices"])), str(worker["busy"]))
        table.add_row(worker["id"], worker["host"], *counts, serves, ", ".join(worker["data"]))
    return table


def queue_table(waiting: Sequence[dict[str, Any]]) -> Table | str:
    """The waiting runs, a row each, and why they wait."""
    if not waiting:
        return "Nothing waits"
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column("run", no_wrap=True)
    for name in ("mixing", "seed", "why"):
        table.add_column(name, overflow="fold")
    for run in waiting:
        table.add_row(run["id"], run["label"], str(run["seed"]), run["reason"])
    return table


def experiment_table(experiment: dict[str, Any], runs: Sequence[dict[str, Any]]) -> Group:
    """An experiment's runs, a row each with the whole id, in eighty columns; below it why those failed that did."""
    table = Table(title=f"{experiment['label']}: {experiment['state']}", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    retried = any(run["attempt"] > 1 for run in runs)
    for name in ("run", "seed", "state", "epoch", heading("error"), heading("nll"), *(["attempt"] if retried else [])):
        table.add_column(_in_two_lines(name), no_wrap=True)
    for run in runs:
        last = run["results"].get("last", {})
        found = [shown(name, last[name], None) if name in last else "-" for name in ("error", "nll")]
        attempt = [str(run["attempt"])] if retried else []
        table.add_row(run["id"], str(run["seed"]), run["state"], _epochs(run), *found, *attempt)
    reasons = [f"seed {run['seed']}: {_reason(run)}" for run in runs if run["failure"]]
    return Group(table, *(Text(reason) for reason in reasons))


def pace(run: dict[str, Any]) -> str:
    """How fast a run trains and how long it may still take; nothing where that isn't known."""
    progress = run["progress"]
    if progress["seconds_left"] is None:
        return ""
    left = timedelta(seconds=round(progress["seconds_left"]))
    return f"{progress['images_per_second']:,.0f} images/s, {left} left"


def run_table(run: dict[str, Any]) -> Group:
    """Where a run stands, and below it each metric under each selection of its epochs, once there are some."""
    told = ", ".join(filter(None, [f"epoch {_epochs(run)}", pace(run), _reason(run)]))
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    selections = list(run["results"])
    for name in ("metric", *selections):
        table.add_column(name)
    metrics = dict.fromkeys(metric for found in run["results"].values() for metric in found)
    for metric in metrics:
        cells = [run["results"][selection].get(metric) for selection in selections]
        table.add_row(heading(metric), *("-" if cell is None else shown(metric, cell, None) for cell in cells))
    return Group(Text(f"seed {run['seed']}: {run['state']}, {told}"), *([table] if metrics else []))


def _epochs(run: dict[str, Any]) -> str:
    return f"{run['progress']['epoch']}/{run['progress']['epochs']}"


def _reason(run: dict[str, Any]) -> str:
    failure = run["failure"]
    return f"{failure['class']}: {failure['message']}" if failure else ""
