"""`mmix log`: what the trainers of a run printed."""

from typing import Annotated

import typer

from mmix.cli.experiments import service_client


def log(
    run: Annotated[str, typer.Argument(metavar="RUN")],
    follow: Annotated[bool, typer.Option("--follow", help="Print lines as they come until the run has ended.")] = False,
    attempt: Annotated[int | None, typer.Option(min=1, metavar="N", help="Only the log of this attempt.")] = None,
) -> None:
    """Prints what the trainers of a run printed, attempt after attempt."""
    known = None
    with service_client() as client:
        read = client.follow if follow else client.log
        for line in read(run, attempt=attempt):
            if line["attempt"] != known:
                known = line["attempt"]
                typer.echo(f"attempt {known}:", err=True)
            typer.echo(line["line"])
