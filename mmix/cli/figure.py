"""`mmix figure`: a picture of what was found, from files or from the service."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from mmix.cli.experiments import service_client

if TYPE_CHECKING:
    from mmix.client import Client
    from mmix.figures import Format, Kind
    from mmix.figures.materials import Measured
    from mmix.figures.sources import Data

By = Literal["forward_backward_passes", "device_seconds", "epochs"]


def figure(
    kind: Annotated[
        str,
        typer.Argument(
            metavar="KIND",
            help="boundary, toy, excess_risk, curves, error_nll, reliability, spectra, hidden, eps, rotation, alpha, "
            "cost",
        ),
    ],
    files: Annotated[
        list[Path] | None,
        typer.Argument(metavar="FILE...", help="The figure's data, or artifacts of runs such as boundary.json."),
    ] = None,
    *,
    out: Annotated[Path, typer.Option(help="Where the picture goes; its name ends in .svg or .png.")],
    run: Annotated[list[str] | None, typer.Option(metavar="ID", help="A run of the service; may be repeated.")] = None,
    comparison: Annotated[
        list[str] | None,
        typer.Option(metavar="ID", help="A comparison of the service; may be repeated for excess_risk."),
    ] = None,
    arm: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Only this arm of the comparison; may be repeated.")
    ] = None,
    label: Annotated[list[str] | None, typer.Option(help="The name of each file's panel or arm, in order.")] = None,
    metric: Annotated[str | None, typer.Option(help="What curves and cost show; error where not given.")] = None,
    by: Annotated[By, typer.Option(help="The cost that cost shows.")] = "forward_backward_passes",
    title: Annotated[str | None, typer.Option(help="A title above the picture.")] = None,
) -> None:
    """Draws a figure from files, or from what runs or a comparison of the service have left.

    docs/figures.md describes the kinds and their data.
    """
    from mmix.figures import draw
    from mmix.figures.shapes import kind_of

    format, known = _format(out), kind_of(kind)
    match files or [], run or [], comparison or []:
        case [[*paths], [], []] if paths:
            data = _of_files(known, paths, labels=label or [])
        case [[], [*ids], []] if ids:
            data = _of_runs(known, ids, metric=metric or "error", by=by)
        case [[], [], [*ids]] if ids:
            data = _of_comparisons(known, ids, arms=arm or [], metric=metric, by=by)
        case _:
            raise typer.BadParameter("give files, or --run, or --comparison: one of the three")
    _write(out, draw(known, {**data, "title": title} if title else data, format=format))


def _format(out: Path) -> "Format":
    match out.suffix:
        case ".png":
            return "png"
        case ".svg":
            return "svg"
        case _:
            raise typer.BadParameter(f"{out} ends in neither .svg nor .png", param_hint="--out")


def _of_files(kind: "Kind", paths: Sequence[Path], *, labels: Sequence[str]) -> "Data":
    """The figure's own data, or those of artifacts, which say of themselves in which units they count."""
    from mmix.errors import FigureError
    from mmix.figures.materials import Measured, material
    from mmix.figures.sources import Group, of_runs

    documents = [_read(path) for path in paths]
    if len(paths) == 1 and "units" not in documents[0]:
        return documents[0]
    if labels and len(labels) != len(paths):
        raise typer.BadParameter(f"{len(labels)} labels for {len(paths)} files", param_hint="--label")
    for path, document in zip(paths, documents, strict=True):
        if document.get("kind") != material(kind):
            raise FigureError(
                f"{path} is of kind {document.get('kind')!r}; allowed: {material(kind)!r} for a figure of {kind!r}, "
                "or one file with the figure's data"
            )
    names = labels or [str(path.with_suffix("")) for path in paths]
    groups = [
        Group(name, (), [Measured(id="", seed=place, documents={material(kind): document})])
        for place, (name, document) in enumerate(zip(names, documents, strict=True))
    ]
    return of_runs(kind, groups)


def _read(path: Path) -> "Data":
    from mmix.errors import FigureError

    try:
        found = json.loads(path.read_text())
    except OSError as error:
        raise FigureError(f"{path} can't be read: {error.strerror or error}") from None
    except ValueError as error:
        raise FigureError(f"{path} is no JSON: {error}") from None
    if not isinstance(found, dict):
        raise FigureError(f"{path} holds no JSON object: docs/figures.md describes the data of each kind")
    return found


def _of_runs(kind: "Kind", ids: Sequence[str], *, metric: str, by: By) -> "Data":
    from mmix.figures.sources import Group, of_runs

    groups: dict[str, Group] = {}
    with service_client() as client:
        for run_id in ids:
            told = client.run(run_id)
            experiment = client.experiment(told["experiment"])
            digest, run = experiment["digest"], _measured(client, told, kind)
            known = groups.get(digest, Group(experiment["label"], [digest], []))
            groups[digest] = Group(known.label, known.digests, [*known.runs, run])
    return of_runs(kind, list(groups.values()), metric=metric, by=by)


def _of_comparisons(kind: "Kind", ids: Sequence[str], *, arms: Sequence[str], metric: str | None, by: By) -> "Data":
    from mmix.figures.sources import Group, of_analyses, of_runs, wanted

    if len(ids) > 1 and kind != "excess_risk":
        raise typer.BadParameter("only excess_risk shows several comparisons", param_hint="--comparison")
    with service_client() as client:
        found = [client.comparison(each, analysis=False) for each in ids]
        shown = metric or found[0]["metric"]
        match kind:
            case "error_nll" | "cost":
                needed = ("error", "nll") if kind == "error_nll" else (shown,)
                analyses = {name: client.comparison(ids[0], name)["analysis"] for name in needed}
                return of_analyses(kind, found[0], analyses, by=by, names=arms)
        groups = [
            Group(each.label, each.digests, [_measured(client, client.run(run), kind) for run in each.runs])
            for comparison in found
            for each in wanted(kind, comparison, names=arms)
        ]
    return {**of_runs(kind, groups, metric=shown, by=by), "comparison": " ".join(ids)}


def _measured(client: "Client", run: Mapping[str, Any], kind: "Kind") -> "Measured":
    """What the service knows of a run, as far as a figure of this kind needs it."""
    from mmix.figures.materials import Measured, material

    needed = material(kind)
    results = dict(run["results"].get("last", {}))
    if run.get("device_seconds") is not None:
        results["device_seconds"] = run["device_seconds"]
    known = Measured(id=run["id"], seed=run["seed"], results=results, provenance=run["provenance"] or {})
    match needed:
        case "results":
            return known
        case "curves":
            return replace(known, curves=client.curves(run["id"])["curves"])
        case _:
            names = [item["name"] for item in client.artifacts(run["id"])["items"]]
            return replace(known, documents=_fetched(client, run["id"], needed) if f"{needed}.json" in names else {})


def _fetched(client: "Client", run_id: str, name: str) -> Mapping[str, Any]:
    with TemporaryDirectory() as folder:
        path = Path(folder) / f"{name}.json"
        client.fetch_artifact(run_id, path.name, to=path)
        return {name: _read(path)}


def _write(out: Path, content: bytes) -> None:
    from mmix.errors import SetupError

    part = out.with_name(f".{out.name}.part")
    try:
        part.write_bytes(content)
        part.replace(out)
    except OSError as error:
        raise SetupError(f"{out} can't be written: {error.strerror or error}") from None
    finally:
        part.unlink(missing_ok=True)
