"""`mmix train`: one spec on this machine, without a service."""

import json
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from mmix.run import Finished
    from mmix.spec.experiment import ExperimentSpec


def train(
    spec: Annotated[Path, typer.Argument(help="A YAML or JSON file.")],
    seed: Annotated[int | None, typer.Option(min=0, help="One seed.")] = None,
    seeds: Annotated[str, typer.Option(help="Several, as 0-4 or 0,2,5; the default of a spec is 0-4.")] = "0-4",
    as_json: Annotated[bool, typer.Option("--json", help="Print exactly one JSON document; needs --seed.")] = False,
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
    threads: Annotated[int | None, typer.Option(min=1, help="torch's threads; all cores where not given.")] = None,
) -> None:
    """Trains a spec here and prints its metrics: mean and standard deviation where there are several seeds."""
    from rich.console import Console

    from mmix.cli.seeds import parse_seeds
    from mmix.cli.tables import metrics_table
    from mmix.spec import document
    from mmix.spec.experiment import digest, label

    asked = document.load(spec)
    chosen = [seed] if seed is not None else parse_seeds(seeds)
    if as_json and len(chosen) != 1:
        raise typer.BadParameter("--json prints one run: give --seed N")
    console = Console(stderr=True)
    finished = [
        _train(asked, each, device=device, threads=threads, console=None if as_json else console) for each in chosen
    ]
    if as_json:
        only = finished[0]
        document_ = {
            "digest": digest(asked),
            "seed": chosen[0],
            "results": only.results,
            "provenance": only.provenance,
        }
        typer.echo(json.dumps(document_))
        return
    Console().print(metrics_table(label(asked), [each.results["last"] for each in finished]))


def _train(
    spec: "ExperimentSpec", seed: int, *, device: str, threads: int | None, console: object | None
) -> "Finished":
    from rich.console import Console
    from rich.progress import Progress

    from mmix import run as laboratory
    from mmix import settings

    found = settings.load()
    places = laboratory.Places(data=found.data_folder)
    result: Finished | None = None
    shown = Progress(console=console, transient=True) if isinstance(console, Console) else nullcontext()
    with shown as progress:
        task = progress.add_task(f"seed {seed}", total=spec.training.epochs) if progress else None
        for report in laboratory.run(spec, seed, places=places, device=device, threads=threads or found.cores):
            if isinstance(report, laboratory.Trained) and progress and task is not None:
                error = report.metrics["error"]
                progress.update(task, completed=report.epoch, description=f"seed {seed}  error {error:.2%}")
            if isinstance(report, laboratory.Finished):
                result = report
    assert result is not None
    return result
