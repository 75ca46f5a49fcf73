"""`mmix data list` and `mmix data prepare`."""

from pathlib import Path
from typing import Annotated

import typer

from mmix.data.kinds import Kind

app = typer.Typer(help="Data sets on this machine.", no_args_is_help=True)


@app.command("list")
def list_data() -> None:
    """Lists the data sets that lie on this machine."""
    from rich.console import Console
    from rich.table import Table

    from mmix import settings
    from mmix.data.listing import listing

    folder = settings.load().data_folder
    rows = listing(folder)
    table = Table(title=f"Data under {folder}")
    for name in ("name", "state", "training", "test", "classes", "where"):
        table.add_column(name)
    for row in rows:
        counts = [row.train_images, row.test_images, row.classes]
        table.add_row(row.name, row.state, *("-" if count is None else str(count) for count in counts), row.where)
    Console().print(table)


@app.command()
def prepare(
    kind: Annotated[Kind, typer.Argument(help="Which kind of data.")],
    name: Annotated[str | None, typer.Argument(help="The name to register a folder under.")] = None,
    source: Annotated[
        Path | None,
        typer.Option("--from", help="The published archive, or train/<class>/ and test/<class>/."),
    ] = None,
    download: Annotated[bool, typer.Option("--download", help="Fetch it from its publisher.")] = False,
) -> None:
    """Puts a data set where trainers on this machine find it."""
    from mmix import settings
    from mmix.data import prepare as preparation

    folder = settings.load().data_folder
    typer.echo(preparation.prepare(kind, name, source=source, download=download, data_folder=folder))
