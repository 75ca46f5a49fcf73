"""The one Celery task: look at this run, and if it is free, conduct it."""

import os
import time
from dataclasses import dataclass
from functools import cache
from uuid import UUID

import structlog
from celery import shared_task
from sqlalchemy.exc import DBAPIError

from mmix import settings
from mmix.broker import CONDUCT
from mmix.store import leases, sessions
from worker.launch import Supervision, Terms
from worker.news import News
from worker.place import Workplace, workplace

WORKER_ID = "MMIX_WORKER_ID"
"""The environment variable by which the worker tells its children who they are."""

_log = structlog.get_logger("worker")


@dataclass(frozen=True)
class _Door:
    sessions: sessions.Sessions
    terms: Terms
    workplace: Workplace
    news: News


@cache
def _door() -> _Door:
    """This pool process's connections and terms, made at its first run."""
    found = settings.load()
    return _Door(
        sessions=sessions.sessions(sessions.engine(found, pool_size=1, actor="supervisor")),
        terms=Terms.of(found),
        workplace=workplace(found, worker_id=UUID(os.environ[WORKER_ID])),
        news=News(found.sqlalchemy_url()),
    )


@shared_task(name=CONDUCT)  # type: ignore[untyped-decorator]
def conduct(run_id: str) -> None:
    """Claims the run and supervises it to its end; does nothing where the run is not to be had."""
    door = _door()
    asked_at = time.monotonic()
    try:
        with door.sessions.begin() as session:
            lease = leases.claim(
                session,
                run_id=UUID(run_id),
                worker_id=door.workplace.worker_id,
                host=door.workplace.host,
                queues=door.workplace.kinds,
                lease_seconds=door.terms.lease_seconds,
            )
    except DBAPIError as error:
        if not sessions.is_outage(error):
            raise
        _log.warning("could not claim", run=run_id, reason=str(error.orig))
        return  # nothing is lost: the dispatcher rings again
    if lease is None:
        return
    supervision = Supervision(
        lease,
        claimed_at=asked_at,
        sessions=door.sessions,
        terms=door.terms,
        workplace=door.workplace,
        news=door.news,
    )
    supervision.conduct(environment=door.workplace.environment(wanted=lease.device, uuids=lease.devices))
