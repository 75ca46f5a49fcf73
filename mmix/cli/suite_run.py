"""A suite under way: what can run, its comparisons, and their progress."""

import time
from collections import Counter
from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from mmix.cli.watching import Lacks
from mmix.client import TERMINAL, Client
from mmix.errors import DataMissing
from mmix.spec.data import preparation
from mmix.suites.study import Budget, Study, body, key
from mmix.suites.suite import Suite

Json = dict[str, Any]

_LOOK_SECONDS = 0.5


def without_missing(suite: Suite, studies: Sequence[Study], there: set[str], *, what_can: bool) -> Sequence[Study]:
    """The studies whose data are there: all of them, or, where `what_can` is wanted, those that can run.

    Raises: DataMissing that says which data are missing, how to get them, and what can run without.
    """
    able = [study for study in studies if there.issuperset(study.needs())]
    if len(able) == len(studies) or (what_can and able):
        return able
    missing = sorted({name for study in studies for name in study.needs()} - there)
    commands = " and ".join(f"`{preparation(name)}`" for name in missing)
    lacking = ", ".join(study.name for study in studies if study not in able)
    rest = f"{', '.join(study.name for study in able)} can run without: add --what-can" if able else "nothing can run"
    raise DataMissing(
        f"{suite.name}: no worker has {' and '.join(missing)}, which {lacking} would train on: bring it with "
        f"{commands}; {rest}"
    )


def start(client: Client, suite: Suite, budget: Budget, studies: Sequence[Study], *, retry: bool) -> dict[str, str]:
    """The comparisons of the studies by their names, made or found again; `retry` queues once more what ended badly.

    Raises: ServiceError
    """
    made = {}
    for study in studies:
        asked = body(study, suite=suite.name, budget=budget)
        made[study.name] = client.compare(asked, key=key(asked, version=suite.version))["id"]
    if retry:
        for comparison in made.values():
            for run in _runs(client.comparison(comparison, analysis=False)):
                if run["state"] in TERMINAL and run["state"] != "succeeded":
                    client.retry_run(run["id"])
    return made


def finish(client: Client, made: dict[str, str]) -> bool:
    """Shows a bar for each comparison until all runs have ended; whether all of them succeeded.

    Raises: ServiceError
    """
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[states]}"))
    lacks, told, found = Lacks(client), set[str](), dict[str, list[Json]]()
    with Progress(*columns, TimeElapsedColumn(), console=console) as progress:
        bars = {name: progress.add_task(name, total=None, states="") for name in made}
        while True:
            for name, comparison in made.items():
                if not _has_ended(found.get(name)):
                    found[name] = _runs(client.comparison(comparison, analysis=False))
                    _move(progress, bars[name], found[name])
            if all(_has_ended(runs) for runs in found.values()):
                break
            waiting = lacks.reasons([run for runs in found.values() for run in runs])
            for reason in sorted(set(waiting.values()) - told):
                told.add(reason)
                progress.console.print(f"waits: {reason}", soft_wrap=True, highlight=False)
            time.sleep(_LOOK_SECONDS)
    return all(run["state"] == "succeeded" for runs in found.values() for run in runs)


def _runs(comparison: Json) -> list[Json]:
    return [run for arm in comparison["arms"] for run in arm["runs"]]


def _has_ended(runs: list[Json] | None) -> bool:
    return runs is not None and all(run["state"] in TERMINAL for run in runs)


def _move(progress: Progress, bar: Any, runs: list[Json]) -> None:
    states = Counter(run["state"] for run in runs)
    shared = sum(run["shared"] for run in runs)
    words = [f"{count} {state}" for state, count in states.items() if state != "succeeded"]
    words += [f"{shared} shared"] if shared else []
    ended = sum(states[state] for state in TERMINAL)
    progress.update(bar, total=len(runs), completed=ended, states=", ".join(words))
