"""`mmix backup` and `mmix restore`: the database in one file, also where PostgreSQL came with a wheel."""

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from sqlalchemy.engine import Engine

_OWN = ("--no-owner", "--no-privileges")  # whoever restores owns what is restored


def backup(file: Annotated[Path, typer.Argument(help="What to write; it must not exist.", dir_okay=False)]) -> None:
    """Writes the whole database to a file, while the service goes on; the artifacts lie in a folder of their own."""
    from mmix import embedded, settings
    from mmix.errors import SetupError
    from mmix.store import sessions

    found = settings.load()
    if file.exists():
        raise SetupError(f"{file} exists: choose another name, or remove it")
    unfinished = file.with_name(f"{file.name}.unfinished")
    with embedded.attached(found) as served:
        engine = sessions.engine(served)
        try:
            with sessions.reachable(engine):
                _call("pg_dump", "--format=custom", *_OWN, f"--file={unfinished}", engine=engine)
            unfinished.rename(file)
        finally:
            unfinished.unlink(missing_ok=True)
    typer.echo(f"Written: {file}, {file.stat().st_size:,} bytes. Now copy {found.artifacts_place} too")


def restore(file: Annotated[Path, typer.Argument(help="What `mmix backup` wrote.", exists=True)]) -> None:
    """Fills an empty database from such a file; the workers must be stopped."""
    from mmix import embedded, settings
    from mmix.errors import SetupError
    from mmix.store import schema, sessions

    found = settings.load()
    with embedded.database(found) as served:
        engine = sessions.engine(served)
        with sessions.reachable(engine):
            if not schema.is_empty(engine):
                raise SetupError("The database is not empty: restore to a new one, nothing here is overwritten")
            _call("pg_restore", "--single-transaction", "--exit-on-error", *_OWN, str(file), engine=engine)
        typer.echo(f"Restored; the database stands at migration {schema.migrate(engine)}")


def _call(name: str, *arguments: str, engine: "Engine") -> None:
    from mmix.errors import SetupError

    url = engine.url.set(drivername="postgresql", password=None).render_as_string()
    password = {} if engine.url.password is None else {"PGPASSWORD": str(engine.url.password)}  # not for `ps` to show
    done = subprocess.run(
        [_program(name, engine), *arguments, f"--dbname={url}"],
        env={**os.environ, **password},
        stderr=subprocess.PIPE,
        text=True,
    )
    if done.returncode != 0:
        raise SetupError(f"{name} ended with exit code {done.returncode}: {done.stderr.strip() or 'it said nothing'}")


def _program(name: str, engine: "Engine") -> str:
    """The one on the PATH, else the one that came with the embedded server: neither may be older than the server."""
    from mmix import embedded
    from mmix.errors import SetupError

    with engine.connect() as connection:
        needed = int(connection.exec_driver_sql("SHOW server_version_num").scalar_one()) // 10_000
    for path in filter(None, [shutil.which(name), *embedded.postgresql_programs(name)]):
        if _major_version(path) >= needed:
            return path
    raise SetupError(f"There is no {name} of PostgreSQL {needed} or later: install PostgreSQL's client programs")


def _major_version(path: str) -> int:
    told = subprocess.run([path, "--version"], check=True, capture_output=True, text=True).stdout
    found = re.search(r"\d+", told)
    return int(found.group()) if found else 0
