"""Figures of runs and comparisons, drawn from rows and artifacts alone."""

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Query, Response
from fastapi.exceptions import RequestValidationError

from api import artifacts
from api.compared import Comparison
from api.dependencies import AnalysesOf, Owner, Root, SessionsOf
from api.schemas import MetricName
from mmix import files
from mmix.errors import FigureError
from mmix.figures import Format, Kind, draw
from mmix.figures.materials import Measured, material, possible
from mmix.figures.shapes import MOST
from mmix.figures.sources import Data, Group, of_analyses, of_runs, wanted
from mmix.store import comparisons, experiments, runs
from mmix.store.runs import RunView
from mmix.store.sessions import Sessions

router = APIRouter(prefix="/v1", tags=["figures"])

_MEDIA = {"svg": "image/svg+xml", "png": "image/png"}
_ANSWERS: dict[int | str, dict[str, Any]] = {200: {"content": {media: {} for media in _MEDIA.values()}}}
_HEADERS = {
    # Whoever opens an SVG by its address runs nothing that a label might hold.
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; img-src data:",
    "X-Content-Type-Options": "nosniff",
}

KindAsked = Annotated[Kind, Query(description="what to draw; docs/figures.md describes each")]
MetricAsked = Annotated[MetricName | None, Query(description="what curves and cost show")]
By = Annotated[
    Literal["forward_backward_passes", "device_seconds", "epochs"], Query(description="the cost that cost shows")
]
Arms = Annotated[list[Annotated[str, Query(max_length=200)]], Query(max_length=12, description="only these arms")]


@router.get("/runs/{run_id}/figure.{format}", response_class=Response, responses=_ANSWERS)
def get_figure_of_run(
    run_id: UUID,
    format: Format,
    kind: KindAsked,
    sessions: SessionsOf,
    owner: Owner,
    root: Root,
    metric: MetricAsked = None,
    by: By = "forward_backward_passes",
) -> Response:
    """A figure of one run. What can be drawn depends on its spec: the answer to another kind names those that can."""
    with sessions.begin() as session:
        view = runs.get(session, owner=owner, run_id=run_id)
        experiment = experiments.get(session, owner=owner, experiment_id=view.experiment_id)
        curves = runs.curves(session, owner=owner, run_id=run_id)

    def data() -> Data:
        run = replace(_measured(view, kind, root=root), curves=curves)
        return of_runs(kind, [Group(experiment.label, [experiment.digest], [run])], metric=metric or "error", by=by)

    return _drawn(kind, data, format, allowed=lambda: _possible([view], curves))


@router.get("/comparisons/{comparison_id}/figure.{format}", response_class=Response, responses=_ANSWERS)
def get_figure_of_comparison(
    comparison_id: UUID,
    format: Format,
    kind: KindAsked,
    sessions: SessionsOf,
    analyses: AnalysesOf,
    owner: Owner,
    root: Root,
    metric: MetricAsked = None,
    by: By = "forward_backward_passes",
    arm: Arms = [],  # noqa: B006 - FastAPI copies it
) -> Response:
    """A figure of a comparison's arms as far as they have succeeded; its own metric where none is given."""
    with sessions.begin() as session:
        view = comparisons.get(session, owner=owner, comparison_id=comparison_id)
    told = Comparison.of(view, None).model_dump(mode="json")
    shown = metric or view.summary.metric

    def data() -> Data:
        match kind:
            case "error_nll":
                found = {name: analyses.of(view, name) for name in ("error", "nll")}
                return of_analyses(kind, told, found, names=arm)
            case "cost":
                return of_analyses(kind, told, {shown: analyses.of(view, shown)}, by=by, names=arm)
            case _:
                groups = [
                    Group(each.label, each.digests, _read(sessions, each.runs, kind, owner=owner, root=root))
                    for each in wanted(kind, told, names=arm)
                ]
                return {**of_runs(kind, groups, metric=shown), "comparison": str(comparison_id)}

    return _drawn(kind, data, format, allowed=lambda: _possible_of(told, sessions, owner=owner))


def _drawn(kind: Kind, data: Callable[[], Data], format: Format, *, allowed: Callable[[], list[Kind]]) -> Response:
    """The picture.

    Raises: RequestValidationError, with the kinds that can be drawn, where this one can't.
    """
    try:
        content = draw(kind, data(), format=format)
    except FigureError as error:
        told = {"given": kind, "allowed": ", ".join(allowed()) or "none yet"}
        problem = {"type": "figure", "loc": ("query", "kind"), "msg": str(error), "input": kind, "ctx": told}
        raise RequestValidationError([problem]) from None
    return Response(content, media_type=_MEDIA[format], headers=_HEADERS)


def _read(sessions: Sessions, ids: Sequence[str], kind: Kind, *, owner: str, root: str) -> list[Measured]:
    with sessions.begin() as session:
        views = [runs.get(session, owner=owner, run_id=UUID(each)) for each in ids]
        curves = {
            view.id: runs.curves(session, owner=owner, run_id=view.id) if material(kind) == "curves" else {}
            for view in views
        }
    return [replace(_measured(view, kind, root=root), curves=curves[view.id]) for view in views]


def _measured(view: RunView, kind: Kind, *, root: str) -> Measured:
    """The run with its results, and the artifact that a figure of this kind shows, if it has that.

    Raises: StorageError
    """
    name = material(kind)
    documents = {} if name in ("results", "curves") else _documents(view, name, root=root)
    return Measured(
        id=str(view.id),
        seed=view.seed,
        results=view.results.get("last", {}) | _spent(view),
        provenance=view.provenance or {},
        documents=documents,
    )


def _spent(view: RunView) -> dict[str, float]:
    return {} if view.device_seconds is None else {"device_seconds": view.device_seconds}


def _documents(view: RunView, name: str, *, root: str) -> dict[str, Any]:
    """The artifact under its name; nothing where the run has none or it is there no more."""
    if f"{name}.json" not in (view.provenance or {}).get("artifacts", []):
        return {}
    try:
        content = files.read(f"{artifacts.folder(root, run_id=view.id, attempt=view.attempt)}/{name}.json")
    except FileNotFoundError:
        return {}
    return {name: json.loads(content)}


def _possible_of(comparison: Mapping[str, Any], sessions: Sessions, *, owner: str) -> list[Kind]:
    """What can be drawn of the first runs of the arms."""
    first = [run["id"] for arm in comparison["arms"] for run in arm["runs"][:1]][:MOST]
    with sessions.begin() as session:
        views = [runs.get(session, owner=owner, run_id=UUID(each)) for each in first]
        curves = [name for view in views for name in runs.curves(session, owner=owner, run_id=view.id)]
    return _possible(views, curves)


def _possible(views: Sequence[RunView], curves: Collection[str]) -> list[Kind]:
    return possible(
        artifacts=[name for view in views for name in (view.provenance or {}).get("artifacts", [])],
        curves=curves,
        metrics=[name for view in views for name in (*view.results.get("last", {}), *_spent(view))],
    )
