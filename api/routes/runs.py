"""Runs: get, curves, attempts, log, cancel, withdraw, retry."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from api.dependencies import Owner, SessionsOf
from api.schemas import Attempts, Curves, Log, Run, WithdrawalRequest
from mmix.store import results, retries, runs

router = APIRouter(prefix="/v1/runs", tags=["runs"])

Number = Annotated[int | None, Query(ge=1, le=2**31 - 1)]
LinePlace = Annotated[str, Query(pattern="^[0-9]{1,9}:[0-9]{1,9}$", description="ATTEMPT:N of a line")]


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


@router.get("/{run_id}/log")
def get_log(
    run_id: UUID,
    sessions: SessionsOf,
    owner: Owner,
    attempt: Number = None,
    after: LinePlace = "0:0",
    limit: Annotated[int, Query(ge=1, le=1000)] = 200,
) -> Log:
    """What the trainers of a run printed, attempt after attempt, after the line `after`; also while it is worked on."""
    known, _, n = after.partition(":")
    with sessions.begin() as session:
        views = runs.log(
            session,
            owner=owner,
            run_id=run_id,
            attempt=attempt,
            after=(int(known), int(n)),
            limit=limit + 1,
        )
    return Log.of(views, limit=limit)


@router.post("/{run_id}/cancel")
def cancel_run(run_id: UUID, sessions: SessionsOf, owner: Owner) -> Run:
    """Cancels a waiting run at once and a running one within seconds; a finished run stays as it is."""
    with sessions.begin() as session:
        runs.cancel(session, owner=owner, run_id=run_id)
        return Run.of(runs.get(session, owner=owner, run_id=run_id))


@router.post("/{run_id}/withdraw")
def withdraw_run(run_id: UUID, request: WithdrawalRequest, sessions: SessionsOf, owner: Owner) -> Run:
    """Takes the results of a finished run away, for good; the audit keeps them.

    Another finished run of the same spec and seed then counts on the leaderboard, where there is one.
    """
    with sessions.begin() as session:
        results.withdraw(session, owner=owner, run_id=run_id, reason=request.reason)
        return Run.of(runs.get(session, owner=owner, run_id=run_id))


@router.post("/{run_id}/retry", status_code=201)
def retry_run(run_id: UUID, sessions: SessionsOf, owner: Owner) -> Run:
    """Makes a new run in the place of one that failed or was cancelled; the old one stays as it is."""
    with sessions.begin() as session:
        made = retries.retry(session, owner=owner, run_id=run_id)
        return Run.of(runs.get(session, owner=owner, run_id=made))
