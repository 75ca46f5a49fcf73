"""The `mmix` command."""

import sys

import typer

from mmix.cli import (
    admin,
    backup,
    comparisons,
    data,
    doctor,
    experiments,
    figure,
    fleet,
    leaderboard,
    log,
    model,
    prune,
    service,
    suite,
    train,
)
from mmix.errors import FigureError, MmixError, SpecError

app = typer.Typer(
    name="mmix",
    help="Honest comparisons of mixing regularisers.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command()(service.up)
app.command()(service.demo)
app.command()(train.train)
app.command()(experiments.submit)
app.command(name="list")(experiments.list_)
app.command()(experiments.show)
app.command()(log.log)
app.command()(comparisons.compare)
app.command()(comparisons.comparison)
app.add_typer(leaderboard.app, name="leaderboard")
app.command()(leaderboard.withdraw)
app.command()(figure.figure)
app.command()(experiments.cancel)
app.command()(experiments.retry)
app.command()(fleet.queue)
app.command()(fleet.drain)
app.command()(fleet.worker)
app.command()(fleet.dispatcher)
app.command()(doctor.doctor)
app.add_typer(data.app, name="data")
app.add_typer(model.app, name="model")
app.add_typer(suite.app, name="suite")
app.command()(admin.migrate)
app.command()(admin.schema)
app.command()(backup.backup)
app.command()(backup.restore)
app.command()(prune.prune)


def main() -> None:
    """Runs a command; what a person can cause ends in one line and exit code 1, or 2 where it was asked wrongly."""
    try:
        app()
    except MmixError as error:
        print(f"mmix: {error}", file=sys.stderr)
        sys.exit(2 if isinstance(error, SpecError | FigureError) else 1)
    except KeyboardInterrupt:
        sys.exit(130)
