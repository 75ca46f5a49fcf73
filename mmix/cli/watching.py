"""Live progress of runs in a terminal."""

import time
from collections import Counter
from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from mmix.cli.tables import pace
from mmix.client import TERMINAL, Client

Json = dict[str, Any]

_LOOK_SECONDS = 2.0  # the queue is a larger answer than a run
_MOST_LISTED = 1000
_LACKS = ("no worker has ", "no worker with ")  # without help, runs for which this holds wait for ever


class Lacks:
    """What queued runs lack that no worker has, asked for now and then."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._look_at = 0.0
        self._reasons: dict[str, str] = {}

    def reasons(self, runs: Sequence[Json]) -> dict[str, str]:
        """The reason for each of the queued runs that lacks something.

        Raises: ServiceError
        """
        queued = {run["id"] for run in runs if run["state"] == "queued"}
        if queued and time.monotonic() >= self._look_at:
            listed = self._client.queue(limit=_MOST_LISTED)["items"]
            self._reasons = {run["id"]: run["reason"] for run in listed if run["reason"].startswith(_LACKS)}
            self._look_at = time.monotonic() + _LOOK_SECONDS
        return {run_id: reason for run_id, reason in self._reasons.items() if run_id in queued}


def watch(client: Client, experiments: list[Json]) -> list[Json]:
    """Shows a bar for each run until all have ended; returns the runs. Says once what no worker has, and waits on.

    Raises: ServiceError
    """
    labels = {run["id"]: f"{made['label']}  seed {run['seed']}" for made in experiments for run in made["runs"]}
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[state]}"),
        TextColumn("{task.fields[pace]}"),
    )
    with Progress(*columns, TimeElapsedColumn(), console=Console(stderr=True)) as progress:
        bars: dict[str, TaskID] = {
            run_id: progress.add_task(label, total=None, state="queued", pace="", start=False)
            for run_id, label in labels.items()
        }

        lacks = Lacks(client)
        told: set[str] = set()

        def look(runs: list[Json]) -> None:
            reasons = lacks.reasons(runs)
            for reason in sorted(set(reasons.values()) - told):
                told.add(reason)
                progress.console.print(f"waits: {reason}", soft_wrap=True, highlight=False)
            for run in runs:
                _move(progress, bars[run["id"]], run, reasons.get(run["id"], ""))

        return client.wait([made["id"] for made in experiments], watch=look)


def watch_comparison(client: Client, made: Json) -> Json:
    """Shows a bar for each arm until all its runs have ended; returns the comparison with its analysis.

    Raises: ServiceError
    """
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[state]}"))
    with Progress(*columns, TimeElapsedColumn(), console=Console(stderr=True)) as progress:
        bars = {arm["name"]: progress.add_task(arm["name"], total=len(arm["runs"]), state="") for arm in made["arms"]}

        def look(found: Json) -> None:
            for arm in found["arms"]:
                states = Counter(run["state"] for run in arm["runs"])
                ended = sum(count for state, count in states.items() if state in TERMINAL)
                told = ", ".join(f"{count} {state}" for state, count in states.items())
                progress.update(bars[arm["name"]], completed=ended, state=told)

        return client.wait_for_comparison(made["id"], watch=look)


def _move(progress: Progress, bar: TaskID, run: Json, reason: str) -> None:
    if run["state"] != "queued":
        progress.start_task(bar)
    if run["state"] in {"succeeded", "failed", "cancelled"}:
        progress.stop_task(bar)
    told = [run["state"], f"attempt {run['attempt']}" if run["attempt"] > 1 else "", reason]
    state = ", ".join(part for part in told if part)
    done = run["progress"]
    progress.update(bar, total=done["epochs"], completed=done["epoch"], state=state, pace=pace(run))
