"""What a terminal shows of suites."""

from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Group
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from mmix.spec.data import preparation
from mmix.suites.claims import DOCUMENTS, of_suite
from mmix.suites.display import heading, interval, shown, spread
from mmix.suites.study import BUDGETS, Budget, runs
from mmix.suites.suite import Suite

Json = dict[str, Any]
_STYLES = {"better": "green", "reproduced": "green", "worse": "red", "not reproduced": "red"}


def suites_table(suites: Iterable[Suite]) -> Table:
    """The suites, a row each."""
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column("suite", no_wrap=True)
    table.add_column("what it asks", overflow="fold")
    table.add_column(f"runs: {', '.join(BUDGETS)}", justify="right")
    table.add_column("claims", justify="right")
    for suite in suites:
        counts = ", ".join(str(runs(suite.chosen(budget))) for budget in BUDGETS)
        table.add_row(suite.name, suite.summary, counts, str(len(of_suite(suite.name))))
    return table


def suite_table(suite: Suite, budget: Budget) -> Group:
    """A suite's studies at a budget, the data that they need, and its claims."""
    studies = _table("study", "preset", "arms", "seeds", "decided by", "needs")
    for study in suite.studies(budget):
        needs = ", ".join(study.needs()) or "nothing"
        studies.add_row(study.name, study.preset, ", ".join(study.arms), str(len(study.seeds)), study.metrics[0], needs)
    missing = sorted({name for study in suite.studies(budget) for name in study.needs()})
    claims = _table("claim", "what is said", "where")
    for claim in of_suite(suite.name):
        places = "; ".join(f"{DOCUMENTS[document]}, {place}" for document, place in claim.places)
        claims.add_row(claim.id, claim.says, places)
    return Group(
        Text(f"{suite.name}, version {suite.version}: {suite.summary}. Source: {suite.source}"),
        studies,
        *(Text(f"{name}: {preparation(name)}") for name in missing),
        *([claims] if claims.row_count else []),
    )


def results(found: Json) -> Iterator[Table | Text]:
    """A suite's table, study by study, and its claims."""
    for name, rows in groupby(found["rows"], key=lambda row: str(row["study"])):
        yield _study(f"{found['suite']}, {found['budget']}: {name}", list(rows))
    for study in found["studies"]:
        if study["ended"] < study["runs"] or study["failed"]:
            bad = f", {study['failed']} of them badly" if study["failed"] else ""
            yield Text(f"{study['study']}: {study['ended']} of {study['runs']} runs have ended{bad}")
    if found["claims"]:
        yield _claims(found["claims"])


def _study(title: str, rows: list[Json]) -> Table:
    table = Table(title=f"{title}: mean ± standard deviation over n units", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    has_published = any(row["published"] for row in rows)
    for name in ("metric", "arm", "measured", "n", "95 % interval", "against the baseline"):
        table.add_column(name, overflow="fold")
    if has_published:
        table.add_column("published", overflow="fold")
        table.add_column("z", justify="right")
        table.add_column("same setting, budget", overflow="fold")
    for metric, arms in groupby(rows, key=lambda row: str(row["metric"])):
        for place, row in enumerate(arms):
            table.add_row(escape(heading(metric)) if place == 0 else "", *_cells(metric, row, has_published))
        table.add_section()
    return table


def _cells(metric: str, row: Json, has_published: bool) -> list[str | Text]:
    cells: list[str | Text] = [
        escape(row["arm"]),
        spread(metric, row["mean"], row["std"]),
        str(row["n"]),
        interval(metric, row["interval"]),
        _against(metric, row),
    ]
    return cells + (_published(metric, row["published"]) if has_published else [])


def _against(metric: str, row: Json) -> Text:
    found = row["difference"]
    if row["baseline"]:
        return Text("baseline", style="dim")
    if found is None or found["mean"] is None:
        return Text("-")
    return Text(f"{shown(metric, found['mean'])} {found['verdict']}", style=_STYLES.get(found["verdict"], ""))


def _published(metric: str, found: list[Json]) -> list[str | Text]:
    values = [
        f"{spread(metric, each['value'], each['spread'])}{' (difference)' if each['difference_from'] else ''}"
        f" {each['id'].split('-')[0]}, {each['locator'].partition(';')[0]}"
        for each in found
    ]
    zs = ["-" if each["z"] is None else f"{each['z']:+.2f}" for each in found]
    same = [f"{_yes(each['same_setting'])}, {_yes(each['same_budget'])}" for each in found]
    return [Text("\n".join(values)), Text("\n".join(zs)), Text("\n".join(same))]


def _claims(claims: list[Json]) -> Table:
    table = Table(title="Claims", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column("verdict", no_wrap=True)
    table.add_column("claim", overflow="fold", ratio=2)
    table.add_column("evidence", overflow="fold", ratio=3)
    for claim in claims:
        verdict = Text(claim["verdict"], style=_STYLES.get(claim["verdict"], ""))
        table.add_row(verdict, Text(claim["says"]), Text(claim["evidence"]))
    return table


def _table(*names: str) -> Table:
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for name in names:
        table.add_column(name, overflow="fold")
    return table


def _yes(found: bool) -> str:
    return "yes" if found else "no"
