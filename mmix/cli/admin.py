"""`mmix migrate` and `mmix schema`."""

import json
from typing import Annotated

import typer


def migrate(
    check: Annotated[
        bool, typer.Option("--check", help="Also compare the tables in code with what the migrations make.")
    ] = False,
    write: Annotated[
        str | None, typer.Option(metavar="WHAT", help="Also write a new migration for tables that changed in code.")
    ] = None,
    back: Annotated[
        bool, typer.Option("--back", help="Instead take the newest migration back, before an older mmix is installed.")
    ] = False,
) -> None:
    """Brings the database to the newest migration (the embedded one where MMIX_DATABASE_URL is not set)."""
    from mmix import embedded, settings
    from mmix.errors import SetupError
    from mmix.store import schema, sessions

    found = settings.load()
    with embedded.database(found) as served:
        engine = sessions.engine(served)
        with sessions.reachable(engine):
            stands_at = schema.step_back(engine) if back else schema.migrate(engine)
            typer.echo(f"The database stands at migration {stands_at}")
        if write is not None:
            typer.echo(f"Written, now read it: {schema.write(engine, write)}")
        differences = schema.differences(engine) if check else []
    if differences:
        raise SetupError("The tables in code and the migrations differ: " + "; ".join(differences))


def schema() -> None:
    """Prints the JSON schema of a spec."""
    from mmix.spec.experiment import ExperimentSpec

    typer.echo(json.dumps(ExperimentSpec.model_json_schema(), indent=2))
