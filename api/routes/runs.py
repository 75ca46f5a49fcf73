"""Runs: get, curves, cancel."""

from uuid import UUID

from fastapi import APIRouter

from api.dependencies import Owner, SessionsOf
from api.schemas import Curves, Run
from mmix.store import runs

router = APIRouter(prefix="/v1/runs", tags=["runs"])


@router.get("/{run_id}")
def get_run(run_id: UUID, sessions: SessionsOf, owner: Owner) -> Run:
    """One run with its progress, its results and, where it failed, the reason."""
    with sessions.begin() as session:
        return Run.of(runs.get(session, owner=owner, run_id=run_id))


@router.get("/{run_id}/curves")
def get_curves(run_id: UUID, sessions: SessionsOf, owner: Owner) -> Curves:
    """The learning curves of a run; where attempts overlap, the newest one speaks."""
    with sessions.begin() as session:
        return Curves(curves=runs.curves(session, owner=owner, run_id=run_id))


@router.post("/{run_id}/cancel")
def cancel_run(run_id: UUID, sessions: SessionsOf, owner: Owner) -> Run:
    """Cancels a queued run at once and a running one within seconds; a finished run stays as it is."""
    with sessions.begin() as session:
        runs.cancel(session, owner=owner, run_id=run_id)
        return Run.of(runs.get(session, owner=owner, run_id=run_id))
