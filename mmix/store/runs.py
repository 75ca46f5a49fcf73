"""Runs as people see them: reading and cancelling."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import case, func, select, tuple_, update
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.orm import Session

from mmix.errors import NotFound
from mmix.spec.evaluation import DEVICE_SECONDS
from mmix.store import attempts, results
from mmix.store.states import WAITING
from mmix.store.tables import Attempt, CurvePoint, Group, LogLine, Run


@dataclass(frozen=True)
class Failure:
    """Why a run failed for good."""

    failure_class: str
    message: str


@dataclass(frozen=True)
class RunView:
    """A run with its results so far; `epoch` of `epochs` are done. Speed and time left are told while it is worked on.

    `results` are what was measured, `device_seconds` what that took; `withdrawn` is why results were taken away.
    `provenance` is what the results rest on (versions, device, the data's checksum), with what is no metric.
    """

    id: UUID
    experiment_id: UUID
    retry_of: UUID | None
    seed: int
    state: str
    attempt: int
    not_before: datetime | None
    epoch: int
    epochs: int
    images_per_second: float | None
    seconds_left: float | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    results: dict[str, dict[str, float]]
    device_seconds: float | None
    withdrawn: str | None
    provenance: dict[str, Any] | None
    failure: Failure | None


@dataclass(frozen=True)
class AttemptView:
    """One try of one worker at one run; without an outcome it is under way."""

    n: int
    worker: UUID
    host: str
    devices: list[str]
    first_epoch: int | None
    last_epoch: int | None
    last_step: int | None
    images_per_second: float | None
    trained_seconds: float | None
    started_at: datetime
    ended_at: datetime | None
    outcome: str | None
    exit_code: int | None
    error: str | None


@dataclass(frozen=True)
class LineView:
    """The n-th line that an attempt's trainer printed, and when it was stored."""

    attempt: int
    n: int
    at: datetime
    line: str


def get(session: Session, *, owner: str, run_id: UUID) -> RunView:
    """One run of this owner.

    Raises: NotFound, also where the run belongs to somebody else.
    """
    run = session.scalar(select(Run).where(Run.owner == owner, Run.id == run_id))
    if run is None:
        raise NotFound(f"There is no run {run_id}")
    group = session.get_one(Group, run.digest)
    images_per_second, seconds_left = _pace(session, run)
    measured = results.of(session, run_id)
    failure = Failure(run.failure_class, run.failure_message or "") if run.failure_class is not None else None
    return RunView(
        id=run.id,
        experiment_id=run.experiment_id,
        retry_of=run.retry_of,
        seed=run.seed,
        state=run.state,
        attempt=run.attempt,
        not_before=run.not_before,
        epoch=run.epoch,
        epochs=group.spec["training"]["epochs"],
        images_per_second=images_per_second,
        seconds_left=seconds_left,
        created_at=run.created_at,
        started_at=run.started_at,
        finished_at=run.finished_at,
        results={selection: dict(_but_time(metrics)) for selection, metrics in measured.items()},
        device_seconds=measured.get("last", {}).get(DEVICE_SECONDS),
        withdrawn=results.withdrawn(session, run_id),
        provenance=session.scalar(
            select(Attempt.provenance).where(Attempt.run_id == run_id, Attempt.outcome == "succeeded")
        ),
        failure=failure,
    )


def _pace(session: Session, run: Run) -> tuple[float | None, float | None]:
    """The speed, and the seconds left, of the attempt that is under way."""
    row = session.execute(
        select(Attempt.images_per_second, Attempt.seconds_left).where(
            Attempt.run_id == run.id, Attempt.n == run.attempt, Attempt.outcome.is_(None)
        )
    ).one_or_none()
    return (None, None) if row is None else (row.images_per_second, row.seconds_left)


def _but_time(metrics: dict[str, float]) -> Iterator[tuple[str, float]]:
    """The metrics that the same run would have again."""
    return ((name, value) for name, value in metrics.items() if name != DEVICE_SECONDS)


def curves(session: Session, *, owner: str, run_id: UUID) -> dict[str, list[tuple[int, float]]]:
    """Each metric's (epoch, value) pairs; where attempts overlap, the newest one speaks.

    Raises: NotFound
    """
    _know(session, owner=owner, run_id=run_id)
    rows = session.execute(
        select(CurvePoint.metric, CurvePoint.step, CurvePoint.value)
        .where(CurvePoint.run_id == run_id)
        .ext(distinct_on(CurvePoint.metric, CurvePoint.step))
        .order_by(CurvePoint.metric, CurvePoint.step, CurvePoint.attempt.desc())
    )
    found: dict[str, list[tuple[int, float]]] = defaultdict(list)
    for metric, step, value in rows:
        found[metric].append((step, value))
    return dict(found)


def attempts_at(session: Session, *, owner: str, run_id: UUID) -> list[AttemptView]:
    """The tries at a run of this owner, the first one first.

    Raises: NotFound
    """
    _know(session, owner=owner, run_id=run_id)
    rows = session.scalars(select(Attempt).where(Attempt.run_id == run_id).order_by(Attempt.n))
    return [
        AttemptView(
            n=row.n,
            worker=row.worker_id,
            host=row.host,
            devices=row.devices,
            first_epoch=row.first_epoch,
            last_epoch=row.last_epoch,
            last_step=row.last_step,
            images_per_second=row.images_per_second,
            trained_seconds=row.trained_seconds,
            started_at=row.started_at,
            ended_at=row.ended_at,
            outcome=row.outcome,
            exit_code=row.exit_code,
            error=row.error,
        )
        for row in rows
    ]


def log(
    session: Session, *, owner: str, run_id: UUID, attempt: int | None, after: tuple[int, int], limit: int
) -> list[LineView]:
    """What the trainers of a run printed, or the one of this attempt, in order: from the line after (attempt, n) on.

    Raises: NotFound
    """
    _know(session, owner=owner, run_id=run_id)
    place = tuple_(LogLine.attempt, LogLine.n)
    query = select(LogLine).where(LogLine.run_id == run_id, place > after).order_by(place).limit(limit)
    if attempt is not None:
        query = query.where(LogLine.attempt == attempt)
    return [LineView(attempt=row.attempt, n=row.n, at=row.at, line=row.line) for row in session.scalars(query)]


def cancel(session: Session, *, owner: str, run_id: UUID) -> None:
    """Cancels a waiting run at once and asks a running one to stop; a finished run stays as it is.

    Raises: NotFound
    """
    _know(session, owner=owner, run_id=run_id)
    _cancel(session, [run_id])


def cancel_experiment(session: Session, *, owner: str, experiment_id: UUID) -> None:
    """Cancels every run of an experiment that isn't finished; none are an experiment's that isn't this owner's."""
    cancel_experiments(session, owner=owner, ids=[experiment_id])


def cancel_experiments(session: Session, *, owner: str, ids: Sequence[UUID]) -> None:
    """Cancels every run of these experiments that isn't finished."""
    found = session.scalars(select(Run.id).where(Run.owner == owner, Run.experiment_id.in_(ids))).all()
    _cancel(session, found)


def _know(session: Session, *, owner: str, run_id: UUID) -> None:
    if session.scalar(select(Run.id).where(Run.owner == owner, Run.id == run_id)) is None:
        raise NotFound(f"There is no run {run_id}")


def _cancel(session: Session, ids: Sequence[UUID]) -> None:
    waits = Run.state.in_(WAITING)
    # One statement: a run that is claimed or given back meanwhile is looked at again once its row is free.
    changed = session.execute(
        update(Run)
        .where(Run.id.in_(ids), Run.state.in_((*WAITING, "running")))
        .values(
            state=case((waits, "cancelled"), else_="cancelling"),
            finished_at=case((waits, func.now()), else_=None),
            dispatched_at=None,
        )
        .returning(Run.id, Run.state)
        .execution_options(synchronize_session=False)
    ).all()
    for row in changed:
        if row.state == "cancelling":
            attempts.call_out(session, row.id)
    attempts.wake(session)
