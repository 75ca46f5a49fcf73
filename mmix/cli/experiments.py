"""`mmix submit`, `list`, `show`, `cancel` and `retry`: the service from a terminal."""

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from mmix.client import Client
    from mmix.spec.experiment import ExperimentSpec

AsJson = Annotated[bool, typer.Option("--json", help="Print the answer as JSON.")]


@contextmanager
def service_client() -> Iterator["Client"]:
    """The client of the service that the environment names."""
    from mmix import settings
    from mmix.client import Client

    found = settings.load()
    with Client(found.url, api_key=found.api_key) as client:
        yield client


@contextmanager
def local_client() -> Iterator["Client"]:
    """The client of an embedded service that lives as long."""
    """The client of an embedded service that lives as long as this."""
    from mmix import settings
    from mmix.cli.household import household
    from mmix.client import Client

    with household(settings.load(), port=0) as url, Client(url) as client:
        yield client


def submit(
    spec: Annotated[Path, typer.Argument(help="A YAML or JSON file.")],
    seeds: Annotated[str, typer.Option(help="Seeds, as 0-4 or 0,2,5.")] = "0-4",
    tag: Annotated[list[str] | None, typer.Option(help="A tag; may be repeated.")] = None,
    priority: Annotated[int, typer.Option(help="From -100 to 100; higher runs first.")] = 0,
    device: Annotated[str, typer.Option(help="any, cpu or cuda.")] = "any",
    max_runtime: Annotated[
        int | None, typer.Option(min=1, metavar="SECONDS", help="End a run that takes longer.")
    ] = None,
    after: Annotated[
        list[str] | None, typer.Option(metavar="ID", help="Wait for this experiment or run; may be repeated.")
    ] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Watch the runs until they have ended.")] = False,
    local: Annotated[
        bool, typer.Option("--local", help="Start an embedded service for the duration (implies --wait).")
    ] = False,
    key: Annotated[str | None, typer.Option(help="An Idempotency-Key: the same key submits once.")] = None,
) -> None:
    """Submits a spec with its seeds to the service."""
    from mmix.cli.seeds import parse_seeds
    from mmix.spec import document

    asked, chosen = document.load(spec), parse_seeds(seeds)
    if local:
        look_for_data([asked])
    with local_client() if local else service_client() as client:
        made = client.submit(
            asked,
            seeds=chosen,
            tags=tag or (),
            priority=priority,
            device=device,
            max_runtime_seconds=max_runtime,
            after=after or (),
            key=key,
        )
        typer.echo(made["id"])
        if wait or local:
            _watch(client, [made])


def look_for_data(specs: Iterable["ExperimentSpec"]) -> None:
    """Raises: DataMissing where this machine, the only worker, lacks data: its runs would wait for ever."""
    from mmix import settings
    from mmix.errors import DataMissing
    from mmix.spec.data import preparation
    from mmix.spec.experiment import needed_data
    from worker import shelves

    folder = settings.load().data_folder
    found = shelves.look(folder)
    missing = sorted({name for spec in specs for name in needed_data(spec) if name not in found})
    if missing:
        commands = " and ".join(f"`{preparation(name)}`" for name in missing)
        raise DataMissing(f"{' and '.join(missing)} can't be found under {folder}: run {commands}")


def _watch(client: "Client", experiments: list[dict[str, Any]]) -> None:
    from mmix.cli.watching import watch

    runs = watch(client, experiments)
    for experiment in experiments:
        _show(client, experiment["id"], as_json=False)
    if any(run["state"] != "succeeded" for run in runs):
        raise typer.Exit(1)


def show(identity: Annotated[str, typer.Argument(metavar="ID")], as_json: AsJson = False) -> None:
    """Shows an experiment, a comparison or a run."""
    with service_client() as client:
        _show(client, identity, as_json=as_json)


def _show(client: "Client", identity: str, *, as_json: bool) -> None:
    from rich.console import Console

    from mmix.cli.compared import comparison_table
    from mmix.cli.tables import experiment_table, run_table

    found = _find(client, identity)
    if as_json:
        typer.echo(json.dumps(found))
    elif "arms" in found:
        Console().print(comparison_table(found))
    elif "runs" in found:
        Console().print(experiment_table(found, [client.run(run["id"]) for run in found["runs"]]))
    else:
        Console().print(run_table(found))


def _find(client: "Client", identity: str) -> dict[str, Any]:
    """The experiment, comparison or run of this id.

    Raises: ServiceError
    """
    from mmix.errors import ServiceError

    for look in (client.experiment, client.comparison):
        try:
            return look(identity)
        except ServiceError as error:
            if "404" not in str(error):
                raise
    return client.run(identity)


def _runs_of(found: dict[str, Any]) -> list[dict[str, Any]]:
    """The runs of what was found, with their states."""
    if "arms" in found:
        return [run for arm in found["arms"] for run in arm["runs"]]
    runs: list[dict[str, Any]] = found.get("runs", [found])
    return runs


def cancel(identity: Annotated[str, typer.Argument(metavar="ID")]) -> None:
    """Cancels an experiment, a run, or what a comparison has made."""
    with service_client() as client:
        found = _find(client, identity)
        if "arms" in found:
            after = client.cancel_comparison(identity)
        else:
            after = client.cancel_experiment(identity) if "runs" in found else client.cancel_run(identity)
    typer.echo(after["state"])


def retry(identity: Annotated[str, typer.Argument(metavar="ID")]) -> None:
    """Runs again what failed or was cancelled: a run, or all such runs of an experiment or comparison; the old stay."""
    with service_client() as client:
        found = _find(client, identity)
        ended = [run["id"] for run in _runs_of(found) if run["state"] in {"failed", "cancelled"}]
        if not ended:
            typer.echo(f"Nothing of {identity} failed or was cancelled, so there is nothing to retry", err=True)
            raise typer.Exit(1)
        for run in ended:
            typer.echo(client.retry_run(run)["id"])


def list_(limit: Annotated[int, typer.Option(min=1, max=200)] = 20, as_json: AsJson = False) -> None:
    """Lists the newest experiments."""
    from rich.console import Console

    from mmix.cli.tables import experiments_table

    with service_client() as client:
        page = client.experiments(limit=limit)
    if as_json:
        typer.echo(json.dumps(page))
        return
    Console().print(experiments_table(page["items"]))
    if page["next"]:
        typer.echo(f"There are more than {limit} experiments: raise --limit", err=True)
