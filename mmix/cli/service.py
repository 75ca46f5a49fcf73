"""`mmix up` and `mmix demo`: everything on this machine."""

import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from mmix.cli.household import Household

Port = Annotated[int, typer.Option(min=0, max=65535, help="Where the API listens on 127.0.0.1; 0 takes any.")]

_TEND_SECONDS = 0.5


def up(
    port: Port = 8000,
    with_demo: Annotated[bool, typer.Option("--demo", help="Submit the demo first and show its leaderboard.")] = False,
) -> None:
    """Starts PostgreSQL, Redis, API, dispatcher and worker, and serves until Ctrl-C."""
    with _house(port) as house:
        if with_demo:
            _demonstrate(house)
        typer.echo(
            f"mmix serves on {house.url} (API documentation: {house.url}/docs; logs: {house.logs}). Ctrl-C stops it."
        )
        while True:
            for death in house.tend():
                typer.echo(f"died and will be started again: {death}", err=True)
            time.sleep(_TEND_SECONDS)


def demo(port: Port = 8000) -> None:
    """Runs the demo on an own service and stops it: three methods, three seeds each, on real scanned digits."""
    with _house(port) as house:
        _demonstrate(house)


@contextmanager
def _house(port: int) -> Iterator["Household"]:
    from mmix import settings
    from mmix.cli.household import opened

    signal.signal(signal.SIGTERM, _interrupt)
    try:
        with opened(settings.load(), port=port) as house:
            try:
                yield house
            finally:
                # From here on nothing may cut the stopping short.
                signal.signal(signal.SIGINT, signal.SIG_IGN)
                signal.signal(signal.SIGTERM, signal.SIG_IGN)
    except KeyboardInterrupt:
        typer.echo("stopped", err=True)
        sys.exit(0)


def _interrupt(_: int, __: FrameType | None) -> None:
    raise KeyboardInterrupt


def _demonstrate(house: "Household") -> None:
    from rich.console import Console

    from mmix.cli.demonstration import SEEDS, specs
    from mmix.cli.tables import columns_of, leaderboard_table
    from mmix.cli.watching import watch
    from mmix.client import Client

    with Client(house.url) as client:
        made = [client.submit(spec, seeds=SEEDS, tags=["demo"]) for spec in specs()]
        runs = watch(client, made)
        digests = {experiment["digest"] for experiment in made}
        rows = [row for row in client.leaderboard(data="digits", limit=200)["items"] if row["group"] in digests]
    Console().print(leaderboard_table(rows, columns=columns_of(rows)))
    failed = [run for run in runs if run["state"] != "succeeded"]
    for run in failed:
        typer.echo(f"run {run['id']}: {run['state']}: {(run['failure'] or {}).get('message', '')}", err=True)
    if failed:
        raise typer.Exit(1)
