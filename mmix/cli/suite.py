"""`mmix suite`: what papers claim, run and judged."""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from mmix.client import Client
    from mmix.suites.study import Budget, Study

app = typer.Typer(no_args_is_help=True, help="What papers claim: run it, and see what becomes of it.")
Name = Annotated[str, typer.Argument(metavar="NAME", help="As `mmix suite list` has it.")]
BudgetName = Annotated[str, typer.Option("--budget", metavar="quick|standard|paper", help="How much to spend.")]
Local = Annotated[bool, typer.Option("--local", help="Start an embedded service for the duration.")]
Metrics = Annotated[list[str] | None, typer.Option("--metric", help="Only this metric; may be repeated.")]


@app.command(name="list")
def list_() -> None:
    """Lists the suites, with how many runs each budget has."""
    from rich.console import Console

    from mmix.cli.suite_tables import suites_table
    from mmix.suites.catalogue import SUITES

    Console().print(suites_table(SUITES))


@app.command()
def show(name: Name, budget: BudgetName = "quick") -> None:
    """Shows a suite: its studies at a budget, the data that they need, and its claims."""
    from rich.console import Console

    from mmix.cli.suite_tables import suite_table
    from mmix.suites.catalogue import find

    Console().print(suite_table(find(name), _budget(budget)))


@app.command()
def run(
    name: Name,
    budget: BudgetName = "quick",
    preset: Annotated[str, typer.Option(metavar="paper|readme|code", help="Whose settings.")] = "paper",
    study: Annotated[list[str] | None, typer.Option(help="Only this study; may be repeated.")] = None,
    seeds: Annotated[int | None, typer.Option(min=1, max=1000, help="So many seeds instead of the suite's.")] = None,
    what_can: Annotated[bool, typer.Option("--what-can", help="Run what can run without missing data.")] = False,
    retry: Annotated[bool, typer.Option("--retry", help="Try again what failed or was cancelled before.")] = False,
    local: Local = False,
    metric: Metrics = None,
) -> None:
    """Runs a suite, or resumes it, and prints its table and the verdicts on its claims."""
    from mmix.cli.suite_run import finish, start, without_missing
    from mmix.suites.catalogue import find

    suite, chosen_budget = find(name), _budget(budget)
    studies: Sequence[Study] = suite.chosen(chosen_budget, preset=_preset(preset), names=study or ())
    if seeds is not None:
        studies = [each.seeded(seeds) for each in studies]
    if local:
        studies = without_missing(suite, studies, _data_here(), what_can=what_can)
    with _client(local=local) as client:
        if not local:
            studies = without_missing(suite, studies, _data_at_workers(client), what_can=what_can)
        try:
            ended_well = finish(client, start(client, suite, chosen_budget, studies, retry=retry))
        except KeyboardInterrupt:
            typer.echo("Interrupted: the same command goes on from here", err=True)
            raise
        _print_table(client, suite.name, chosen_budget, metric)
    if not ended_well:
        typer.echo("Some runs did not end well: `mmix suite run` with --retry tries them again", err=True)
        raise typer.Exit(1)


@app.command()
def table(
    name: Name,
    budget: BudgetName = "quick",
    format: Annotated[str, typer.Option(metavar="text|md|latex|json", help="How to print it.")] = "text",
    local: Local = False,
    metric: Metrics = None,
) -> None:
    """Prints what a suite's newest comparisons have come to, without running anything."""
    from mmix.suites.catalogue import find
    from mmix.suites.latex import latex
    from mmix.suites.markdown import markdown

    suite, chosen = find(name), _budget(budget)
    written: dict[str, Callable[[dict[str, Any]], str]] = {"md": markdown, "latex": latex, "json": json.dumps}
    if format not in ("text", *written):
        raise typer.BadParameter(f"{format!r} is no format; allowed: text, md, latex, json", param_hint="--format")
    with _client(local=local) as client:
        if format == "text":
            _print_table(client, suite.name, chosen, metric)
        else:
            typer.echo(written[format](_only(client.suite_table(suite.name, budget=chosen), metric)).rstrip("\n"))


def _print_table(client: "Client", name: str, budget: "Budget", metrics: list[str] | None) -> None:
    from rich.console import Console

    from mmix.cli.suite_tables import results

    console = Console()
    for part in results(_only(client.suite_table(name, budget=budget), metrics)):
        console.print(part)


def _only(found: dict[str, Any], metrics: list[str] | None) -> dict[str, Any]:
    if not metrics:
        return found
    known = list(dict.fromkeys(row["metric"] for row in found["rows"]))
    unknown = [metric for metric in metrics if known and metric not in known]
    if unknown:
        raise typer.BadParameter(
            f"{unknown[0]!r} is not in the table; allowed: {', '.join(known)}", param_hint="--metric"
        )
    return {**found, "rows": [row for row in found["rows"] if row["metric"] in metrics]}


@contextmanager
def _client(*, local: bool) -> Iterator["Client"]:
    from mmix.cli.experiments import local_client, service_client

    with local_client() if local else service_client() as client:
        yield client


def _data_here() -> set[str]:
    from mmix import settings
    from worker import shelves

    return set(shelves.look(settings.load().data_folder))


def _data_at_workers(client: "Client") -> set[str]:
    return {name for worker in client.workers()["items"] for name in worker["data"]}


def _budget(text: str) -> "Budget":
    from mmix.suites.study import BUDGETS

    for budget in BUDGETS:
        if text == budget:
            return budget
    raise typer.BadParameter(f"{text!r} is no budget; allowed: {', '.join(BUDGETS)}", param_hint="--budget")


def _preset(text: str) -> Any:
    from mmix.suites.study import PRESETS

    for preset in PRESETS:
        if text == preset:
            return preset
    raise typer.BadParameter(f"{text!r} is no preset; allowed: {', '.join(PRESETS)}", param_hint="--preset")
