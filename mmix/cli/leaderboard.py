"""`mmix leaderboard`, `mmix leaderboard rebuild` and `mmix withdraw`."""

import json
import sys
from typing import Annotated, Any, Literal

import typer

from mmix.cli.experiments import AsJson, service_client

app = typer.Typer(invoke_without_command=True)

Some = list[str] | None


@app.callback()
def leaderboard(
    context: typer.Context,
    data: Annotated[str | None, typer.Option(help="Only this data set.")] = None,
    model: Annotated[str | None, typer.Option(help="Only this kind of model.")] = None,
    mixing: Annotated[str | None, typer.Option(help="Only this mixing method.")] = None,
    alpha: Annotated[str | None, typer.Option(help="Only this alpha of the mixing method.")] = None,
    layers: Annotated[str | None, typer.Option(help="Only these layers, as 0,1,2.")] = None,
    loss: Annotated[str | None, typer.Option(help="Only this loss: ce, bce or mse.")] = None,
    epochs: Annotated[int | None, typer.Option(help="Only so many epochs.")] = None,
    tag: Annotated[Some, typer.Option(help="Only what has this tag; may be repeated.")] = None,
    owner: Annotated[str | None, typer.Option(help="Only what this owner has asked for.")] = None,
    device: Annotated[str | None, typer.Option(help="Only what ran on cpu, or cuda.")] = None,
    where: Annotated[
        Some, typer.Option(metavar="FIELD:VALUE", help="Only this value of a spec's field; may be repeated.")
    ] = None,
    min_n: Annotated[int | None, typer.Option(help="Only what has at least so many seeds.")] = None,
    sort: Annotated[str, typer.Option(help="The metric that orders the rows.")] = "error",
    metric: Annotated[Some, typer.Option(help="A metric to show; may be repeated.")] = None,
    selection: Annotated[
        str | None, typer.Option(help="last, median_of_last_ten, or best_on_test, which is an oracle.")
    ] = None,
    published: Annotated[bool, typer.Option("--published", help="Published figures beside the rows.")] = False,
    format: Annotated[Literal["table", "csv", "markdown", "latex"], typer.Option(help="How to print it.")] = "table",
    limit: Annotated[
        int | None, typer.Option(min=1, max=200, help="Rows; a CSV has all unless this is given, the others 50.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Prints the leaderboard; or works it out anew, see `mmix leaderboard rebuild --help`."""
    if context.invoked_subcommand is not None:
        return
    asked = {
        **{"data": data, "model": model, "mixing": mixing, "alpha": alpha, "layers": layers, "loss": loss},
        **{"epochs": epochs, "tag": tag, "owner": owner, "device": device, "where": where, "min_n": min_n},
        **{"sort": sort, "metric": metric, "selection": selection, "limit": limit},
        "published": True if published else None,
    }
    if format != "table":
        with service_client() as client:
            for part in client.leaderboard_text(**asked, format=format):
                sys.stdout.write(part)
        return
    with service_client() as client:
        page = client.leaderboard(**asked)
    if as_json:
        typer.echo(json.dumps(page))
    else:
        _print(page, metrics=[*dict.fromkeys([sort, *metric])] if metric else None, selection=selection or "last")


def _print(page: dict[str, Any], *, metrics: list[str] | None, selection: str) -> None:
    from rich.console import Console

    from mmix.cli.tables import columns_of, leaderboard_table

    rows = page["items"]
    Console().print(leaderboard_table(rows, columns=metrics or columns_of(rows), selection=selection))
    if page["next"]:
        typer.echo(f"There are more than {len(rows)} rows: raise --limit or filter", err=True)


@app.command()
def rebuild(
    check: Annotated[
        bool, typer.Option("--check", help="Change nothing; exit with 1 where something is wrong.")
    ] = False,
) -> None:
    """Works the leaderboard out anew from all results, names what was wrong and mends it. The service may go on."""
    from mmix import embedded, settings
    from mmix.cli.rebuilding import mended
    from mmix.store import sessions

    counts = {"standings": 0, "groups": 0, "seeds": 0}
    with embedded.attached(settings.load()) as served:
        engine = sessions.engine(served)
        with sessions.reachable(engine):
            for found in mended(sessions.sessions(engine), keep=not check):
                for standing in found.standings:
                    typer.echo(f"standing {standing.digest} {standing.metric} {standing.selection}")
                for digest in found.groups:
                    typer.echo(f"group {digest}: its facets")
                for digest, seed in found.seeds:
                    typer.echo(f"seed {seed} of {digest}: the run that counts")
                counts["standings"] += len(found.standings)
                counts["groups"] += len(found.groups)
                counts["seeds"] += len(found.seeds)
    told = ", ".join(f"{count} {kind}" for kind, count in counts.items())
    done = "are wrong" if check else "were wrong, and are mended"
    if any(counts.values()):
        typer.echo(f"{told} {done}")
        raise typer.Exit(1 if check else 0)
    typer.echo("The leaderboard is what the results come to")


def withdraw(
    run: Annotated[str, typer.Argument(metavar="RUN")],
    reason: Annotated[str, typer.Option(help="Why its results are wrong; the audit keeps it.")],
) -> None:
    """Takes the results of a finished run away, for good; another run of its spec and seed then counts."""
    with service_client() as client:
        client.withdraw_run(run, reason=reason)
    typer.echo(f"The results of run {run} are withdrawn")
