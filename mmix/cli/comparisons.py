"""`mmix compare` and `mmix comparison`: from a question to an answer, in a terminal."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mmix.cli.experiments import AsJson, local_client, look_for_data, service_client

if TYPE_CHECKING:
    from mmix.client import Client


def compare(
    file: Annotated[Path, typer.Argument(help="A comparison as YAML or JSON: what POST /v1/comparisons takes.")],
    wait: Annotated[bool, typer.Option("--wait", help="Watch the runs until they have ended.")] = False,
    local: Annotated[
        bool, typer.Option("--local", help="Start an embedded service for the duration (implies --wait).")
    ] = False,
    key: Annotated[str | None, typer.Option(help="An Idempotency-Key: the same key submits once.")] = None,
    as_json: AsJson = False,
) -> None:
    """Submits a comparison: arms against a baseline over the same seeds. Runs that have finished are not repeated."""
    from mmix.spec import document

    body = document.read(file)
    asked = document.parse_comparison(body, source=str(file))
    assert isinstance(body, dict)  # else it would not have parsed
    if local:
        look_for_data(entrant.spec for entrant in asked.entrants)
    with local_client() if local else service_client() as client:
        made = client.compare(body, key=key)
        if not (wait or local):
            typer.echo(json.dumps(made) if as_json else made["id"])
            return
        typer.echo(made["id"], err=True)
        found = _watched(client, made)
        _print(found, as_json=as_json)
    if found["state"] != "succeeded":
        raise typer.Exit(1)


def comparison(
    identity: Annotated[str | None, typer.Argument(metavar="[ID]", help="None: the newest are listed.")] = None,
    metric: Annotated[str | None, typer.Option(help="Analyse this metric instead of the primary one.")] = None,
    name: Annotated[str | None, typer.Option(help="List those of this name.")] = None,
    tag: Annotated[list[str] | None, typer.Option(help="List those with this tag; may be repeated.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=200)] = 20,
    as_json: AsJson = False,
) -> None:
    """Shows a comparison: arms, differences with intervals and verdicts, cost. Without an ID, lists the newest."""
    with service_client() as client:
        if identity is None:
            _list(client, name=name, tags=tag or [], limit=limit, as_json=as_json)
        else:
            _print(client.comparison(identity, metric), as_json=as_json)


def _list(client: "Client", *, name: str | None, tags: list[str], limit: int, as_json: bool) -> None:
    from rich.console import Console

    from mmix.cli.compared import comparisons_table

    page = client.comparisons(name=name, tags=tags, limit=limit)
    if as_json:
        typer.echo(json.dumps(page))
        return
    Console().print(comparisons_table(page["items"]))
    if page["next"]:
        typer.echo(f"There are more than {limit} comparisons: raise --limit or filter", err=True)


def _print(found: dict[str, Any], *, as_json: bool) -> None:
    from rich.console import Console

    from mmix.cli.compared import comparison_table

    if as_json:
        typer.echo(json.dumps(found))
    else:
        Console().print(comparison_table(found))


def _watched(client: "Client", made: dict[str, Any]) -> dict[str, Any]:
    from mmix.cli.watching import watch_comparison

    return watch_comparison(client, made)
