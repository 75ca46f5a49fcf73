"""Runs: get, curves, attempts, cancel, retry."""

from uuid import UUID

from fastapi import APIRouter

from api.dependencies import Owner, SessionsOf
from api.schemas import Attempts, Curves, Run
from mmix.store import retries, runs

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


@router.get("/{run_id}/attempts")
def get_attempts(run_id: UUID, sessions: SessionsOf, owner: Owner) -> Attempts:
    """Every try at a run, the first one first: where, on which devices, how far it came and how it ended."""
    with sessions.begin() as session:
        return Attempts.of(runs.attempts_at(session, owner=owner, run_id=run_id))


@router.post("/{run_id}/cancel")
def cancel_run(run_id: UUID, sessions: SessionsOf, owner: Owner) -> Run:
    """Cancels a waiting run at once and a running one within seconds; a finished run stays as it is."""
    with sessions.begin() as session:
        runs.cancel(session, owner=owner, run_id=run_id)
        return Run.of(runs.get(session, owner=owner, run_id=run_id))


@router.post("/{run_id}/retry", status_code=201)
def retry_run(run_id: UUID, sessions: SessionsOf, owner: Owner) -> Run:
    """Makes a new run in the place of one that failed or was cancelled; the old one stays as it is."""
    with sessions.begin() as session:
        made = retries.retry(session, owner=owner, run_id=run_id)
        return Run.of(runs.get(session, owner=owner, run_id=made))
