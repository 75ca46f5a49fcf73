"""`mmix prune`: files of checkpoints and artifacts that nobody needs."""

from typing import Annotated

import typer


def prune(yes: Annotated[bool, typer.Option("--yes", help="Delete them; else they are only counted.")] = False) -> None:
    """Deletes checkpoints and artifacts that nobody needs: what dead workers left of runs that have ended, and
    everything of runs that the database doesn't know."""
    from mmix import embedded, files, settings
    from mmix.store import sessions
    from worker import storage

    found = settings.load()
    with embedded.attached(found) as served:
        engine = sessions.engine(served)
        with sessions.reachable(engine):
            door = sessions.sessions(engine)
            needless = storage.needless(door, artifacts=found.artifacts_place)
            if yes:
                for place in needless:
                    files.delete(place)
                storage.tidy_all(door, artifacts=found.artifacts_place)  # their rows, where they have some
    done = "deleted" if yes else "to delete: run `mmix prune --yes`" if needless else "to delete"
    typer.echo(f"{len(needless)} files, {sum(needless.values()):,} bytes {done}")
