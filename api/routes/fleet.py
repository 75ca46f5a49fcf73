"""The fleet: who works, and what waits for whom."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from api.dependencies import Owner, SessionsOf
from api.fleet import Queue, Workers
from mmix.errors import NotFound
from mmix.store import line, workers

router = APIRouter(prefix="/v1", tags=["fleet"])


@router.get("/workers")
def get_workers(sessions: SessionsOf, _: Owner) -> Workers:
    """The live workers, with their devices."""
    with sessions.begin() as session:
        return Workers.of(line.workers(session, alive_seconds=workers.ALIVE_SECONDS))


@router.post("/workers/{worker_id}/drain")
def drain_worker(worker_id: UUID, sessions: SessionsOf, _: Owner) -> Workers:
    """Makes a worker give its runs back and take no more; the live workers as they are then."""
    with sessions.begin() as session:
        if not workers.drain(session, worker_id=worker_id):
            raise NotFound(f"There is no worker {worker_id}: see GET /v1/workers")
        return Workers.of(line.workers(session, alive_seconds=workers.ALIVE_SECONDS))


@router.get("/queue")
def get_queue(sessions: SessionsOf, owner: Owner, limit: Annotated[int, Query(ge=1, le=1000)] = 100) -> Queue:
    """The runs that wait, in the order in which they are looked at, and why each does."""
    with sessions.begin() as session:
        found = line.waiting(session, owner=owner, alive_seconds=workers.ALIVE_SECONDS, limit=limit + 1)
    return Queue.of(found, limit=limit)
