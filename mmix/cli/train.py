"""`mmix train`: one spec on this machine, without a service."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from mmix.run import Finished
    from mmix.spec.experiment import ExperimentSpec


def train(
    spec: Annotated[Path, typer.Argument(help="A YAML or JSON file.")],
    seed: Annotated[int | None, typer.Option(min=0, help="One seed.")] = None,
    seeds: Annotated[str, typer.Option(help="Several, as 0-4 or 0,2,5.")] = "0-4",
    as_json: Annotated[bool, typer.Option("--json", help="Print exactly one JSON document; needs --seed.")] = False,
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
    threads: Annotated[
        int | None, typer.Option(min=1, help="torch's threads on each device; all cores are shared where not given.")
    ] = None,
    artifacts: Annotated[
        Path | None, typer.Option(help="Where evaluation.artifacts go: a folder, one below it for each seed.")
    ] = None,
) -> None:
    """Trains a spec here and prints its metrics: mean and standard deviation where there are several seeds.

    With training.devices above 1 each device gets a process of its own.
    """
    from mmix import settings
    from mmix.cli.seeds import parse_seeds
    from mmix.spec import document

    asked = document.load(spec)
    chosen = [seed] if seed is not None else parse_seeds(seeds)
    if as_json and len(chosen) != 1:
        raise typer.BadParameter("--json prints one run: give --seed N")
    if asked.evaluation.artifacts and artifacts is None:
        typer.echo("The spec asks for artifacts, which are written where --artifacts says: none are", err=True)
    from mmix import run as laboratory  # only now: a spec that is refused needn't wait for torch
    from mmix.cli import ranks

    found = settings.load()
    devices = asked.training.devices
    run = laboratory.run if devices == 1 else ranks.run
    with _progress(hidden=as_json) as progress:
        runs = [
            _follow(
                run(
                    asked,
                    each,
                    places=laboratory.Places(data=found.data_folder, artifacts=artifacts and artifacts / str(each)),
                    device=device,
                    threads=threads or max(1, found.cores // devices),
                ),
                progress,
                progress.add_task(f"seed {each}", total=asked.training.epochs),
            )
            for each in chosen
        ]
    _print_document(asked, chosen[0], runs[0]) if as_json else _print_table(asked, runs)


def _progress(*, hidden: bool) -> "Progress":
    from rich.console import Console
    from rich.progress import Progress

    return Progress(console=Console(stderr=True), transient=True, disable=hidden)


def _follow(reports: Any, progress: "Progress", bar: "TaskID") -> "Finished":
    from mmix import run as laboratory

    for report in reports:
        match report:
            case laboratory.Trained():
                progress.update(bar, completed=report.epoch)
                if "error" in report.metrics:  # the test split isn't measured after every epoch
                    seed = progress.tasks[bar].description.split("  ")[0]
                    progress.update(bar, description=f"{seed}  error {report.metrics['error']:.2%}")
            case laboratory.Finished():
                return report
    raise AssertionError("a run ends with its results or an error")


def _print_document(spec: "ExperimentSpec", seed: int, run: "Finished") -> None:
    from mmix.spec.experiment import digest

    document = {"digest": digest(spec), "seed": seed, "results": run.results, "provenance": run.provenance}
    typer.echo(json.dumps(document))


def _print_table(spec: "ExperimentSpec", runs: "list[Finished]") -> None:
    from rich.console import Console

    from mmix.cli.tables import metrics_table
    from mmix.spec.experiment import label

    Console().print(metrics_table(label(spec), [run.results["last"] for run in runs]))
