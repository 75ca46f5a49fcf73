"""Experiments: create, get, list, cancel."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query

from api.dependencies import IdempotencyKey, Owner, SessionsOf
from api.idempotency import Sent, once
from api.schemas import Experiment, ExperimentRequest, Experiments
from mmix.store import experiments, runs
from mmix.store.sessions import Sessions

router = APIRouter(prefix="/v1/experiments", tags=["experiments"])

_ROUTE = "POST /v1/experiments"


@router.post("", status_code=201)
def create_experiment(
    request: ExperimentRequest, sessions: SessionsOf, owner: Owner, idempotency_key: IdempotencyKey = None
) -> Experiment:
    """Stores an experiment and queues one run per seed. The same Idempotency-Key gets the same answer."""
    sent = Sent(owner, _ROUTE, idempotency_key, request)
    with sessions.begin() as session:
        return once(session, sent, Experiment, lambda: _create(session, request, owner))


def _create(session: Any, request: ExperimentRequest, owner: str) -> Experiment:
    made = experiments.create(session, owner=owner, spec=request.spec, wish=request.wish())
    return Experiment.of(experiments.get(session, owner=owner, experiment_id=made))


@router.get("")
def list_experiments(
    sessions: SessionsOf,
    owner: Owner,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    cursor: UUID | None = None,
) -> Experiments:
    """The owner's experiments, newest first; `next` is the cursor of the following page."""
    with sessions.begin() as session:
        views = experiments.page(session, owner=owner, before=cursor, limit=limit + 1)
    shown = views[:limit]
    return Experiments(
        items=[Experiment.of(view) for view in shown], next=str(shown[-1].id) if len(views) > limit else None
    )


@router.get("/{experiment_id}")
def get_experiment(experiment_id: UUID, sessions: SessionsOf, owner: Owner) -> Experiment:
    """One experiment with the states of its runs."""
    return _get(sessions, owner, experiment_id)


@router.post("/{experiment_id}/cancel")
def cancel_experiment(experiment_id: UUID, sessions: SessionsOf, owner: Owner) -> Experiment:
    """Cancels every run that isn't finished: queued ones at once, running ones within seconds."""
    with sessions.begin() as session:
        runs.cancel_experiment(session, owner=owner, experiment_id=experiment_id)
    return _get(sessions, owner, experiment_id)


def _get(sessions: Sessions, owner: str, experiment_id: UUID) -> Experiment:
    with sessions.begin() as session:
        return Experiment.of(experiments.get(session, owner=owner, experiment_id=experiment_id))
