"""Live progress of runs in a terminal."""

from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from mmix.client import Client

Json = dict[str, Any]


def watch(client: Client, experiments: list[Json]) -> list[Json]:
    """Shows a bar for each run until all have ended; returns the runs.

    Raises: ServiceError
    """
    labels = {run["id"]: f"{made['label']}  seed {run['seed']}" for made in experiments for run in made["runs"]}
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[state]}"),
    )
    with Progress(*columns, TimeElapsedColumn(), console=Console(stderr=True)) as progress:
        bars: dict[str, TaskID] = {
            run_id: progress.add_task(label, total=None, state="queued", start=False)
            for run_id, label in labels.items()
        }

        def look(runs: list[Json]) -> None:
            for run in runs:
                _move(progress, bars[run["id"]], run)

        return client.wait([made["id"] for made in experiments], watch=look)


def _move(progress: Progress, bar: TaskID, run: Json) -> None:
    if run["state"] != "queued":
        progress.start_task(bar)
    if run["state"] in {"succeeded", "failed", "cancelled"}:
        progress.stop_task(bar)
    state = run["state"] if run["attempt"] < 2 else f"{run['state']}, attempt {run['attempt']}"
    progress.update(bar, total=run["progress"]["epochs"], completed=run["progress"]["epoch"], state=state)
