"""Comparisons: create, get with their analysis, list, cancel."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from sqlalchemy.orm import Session

from api.compared import Comparison, ComparisonLine, ComparisonRequest, Comparisons
from api.dependencies import AnalysesOf, IdempotencyKey, Owner, SessionsOf
from api.idempotency import Sent, once
from api.schemas import Tag
from mmix.spec.comparison import check_metric
from mmix.spec.experiment import ExperimentSpec
from mmix.store import comparisons
from mmix.store.comparisons import ComparisonView

router = APIRouter(prefix="/v1/comparisons", tags=["comparisons"])

_ROUTE = "POST /v1/comparisons"


@router.post("", status_code=201)
def create_comparison(
    request: ComparisonRequest, sessions: SessionsOf, owner: Owner, idempotency_key: IdempotencyKey = None
) -> Comparison:
    """Stores a comparison and queues what isn't known yet: runs that have finished are shared, unless `fresh`.

    The same Idempotency-Key gets the same answer. The analysis is left to GET.
    """
    sent = Sent(owner, _ROUTE, idempotency_key, request)
    with sessions.begin() as session:
        return once(session, sent, Comparison, lambda: _create(session, request, owner))


def _create(session: Session, request: ComparisonRequest, owner: str) -> Comparison:
    made = comparisons.create(session, owner=owner, asked=request, wish=request.wish())
    return Comparison.of(comparisons.get(session, owner=owner, comparison_id=made), None)


@router.get("")
def list_comparisons(
    sessions: SessionsOf,
    owner: Owner,
    name: Annotated[str | None, Query(max_length=200)] = None,
    tag: Annotated[list[Tag], Query(max_length=32)] = [],  # noqa: B006 - FastAPI copies it
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    cursor: UUID | None = None,
) -> Comparisons:
    """The owner's comparisons, newest first, of this name and with all of these tags; `next` leads to the next page."""
    with sessions.begin() as session:
        found = comparisons.page(session, owner=owner, name=name, tags=tag, before=cursor, limit=limit + 1)
    shown = [ComparisonLine.of(each) for each in found[:limit]]
    return Comparisons(items=shown, next=str(shown[-1].id) if len(found) > limit else None)


@router.get("/{comparison_id}")
def get_comparison(
    comparison_id: UUID,
    sessions: SessionsOf,
    analyses: AnalysesOf,
    owner: Owner,
    metric: Annotated[str | None, Query(max_length=100, description="another metric than the primary one")] = None,
    analysis: Annotated[bool, Query(description="false leaves the analysis out, for who only asks for states")] = True,
) -> Comparison:
    """One comparison with the states of its runs and what they say so far."""
    with sessions.begin() as session:
        view = comparisons.get(session, owner=owner, comparison_id=comparison_id)
    if not analysis:
        return Comparison.of(view, None)
    return Comparison.of(view, analyses.of(view, view.summary.metric if metric is None else _checked(metric, view)))


@router.post("/{comparison_id}/cancel")
def cancel_comparison(comparison_id: UUID, sessions: SessionsOf, analyses: AnalysesOf, owner: Owner) -> Comparison:
    """Cancels every run of its own that isn't finished; those that are shared stay as they are."""
    with sessions.begin() as session:
        comparisons.cancel(session, owner=owner, comparison_id=comparison_id)
    with sessions.begin() as session:
        view = comparisons.get(session, owner=owner, comparison_id=comparison_id)
    return Comparison.of(view, analyses.of(view, view.summary.metric))


def _checked(metric: str, view: ComparisonView) -> str:
    """Raises: RequestValidationError where not every arm measures it."""
    specs = [ExperimentSpec.model_validate(arm.spec) for arm in view.arms]
    try:
        check_metric(metric, specs, place=("query", "metric"))
    except ValidationError as error:
        raise RequestValidationError(error.errors()) from None
    return metric
