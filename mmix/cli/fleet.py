"""`mmix queue`, `drain`, `worker` and `dispatcher`: who works and what waits, from a terminal."""

import json
from typing import Annotated

import typer

from mmix.cli.experiments import AsJson, service_client


def queue(limit: Annotated[int, typer.Option(min=1, max=1000)] = 20, as_json: AsJson = False) -> None:
    """Shows the live workers, what waits for them, and why."""
    from rich.console import Console

    from mmix.cli.clashes import ADVICE, clashes
    from mmix.cli.tables import queue_table, workers_table

    with service_client() as client:
        workers, waiting = client.workers(), client.queue(limit=limit)
    if as_json:
        typer.echo(json.dumps({"workers": workers["items"], "queue": waiting["items"], "more": waiting["more"]}))
        return
    Console().print(workers_table(workers["items"]), queue_table(waiting["items"]))
    for clash in clashes((f"{worker['host']} ({worker['id']})", worker["data"]) for worker in workers["items"]):
        typer.echo(f"{clash}: {ADVICE}", err=True)
    if waiting["more"]:
        typer.echo(f"More than {limit} runs wait: raise --limit", err=True)


def drain(worker: Annotated[str, typer.Argument(metavar="WORKER", help="Its id, as `mmix queue` shows it.")]) -> None:
    """Makes a worker give its runs back at their last checkpoint and take no more, until it is started again."""
    with service_client() as client:
        client.drain(worker)
    typer.echo(f"worker {worker} gives its runs back")


def worker() -> None:
    """Works for the service whose database and Redis the environment names, until SIGTERM."""
    from worker import main

    main.main()


def dispatcher() -> None:
    """Dispatches for the service whose database and Redis the environment names; several stand by for each other."""
    from worker import dispatcher as door

    door.main()
