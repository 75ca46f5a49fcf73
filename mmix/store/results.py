"""Results: stored in the transaction that finishes a run, and withdrawn where they prove to be wrong."""

import json
from collections import defaultdict
from collections.abc import Mapping
from uuid import UUID

from sqlalchemy import delete, func, select, text
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import Session

from mmix.errors import Conflict, NotFound
from mmix.spec.evaluation import DEVICE_SECONDS
from mmix.store import groups, standings
from mmix.store.tables import Attempt, Deed, Entry, Result, Run
from mmix.store.words import storable

Found = Mapping[str, Mapping[str, float]]
"""{selection: {metric: value}}"""


def store(session: Session, *, run_id: UUID, digest: str, seed: int, found: Found) -> None:
    """Stores a finished run's results, and the device-seconds it took; the first such run of a seed counts."""
    rows = [
        (metric, selection, value)
        for selection, metrics in found.items()
        for metric, value in metrics.items()
        if metric != DEVICE_SECONDS
    ]
    if not rows:
        return
    metrics, selections, values = zip(*rows, strict=True)
    given = {"metrics": list(metrics), "selections": list(selections), "values": list(values)}
    session.execute(_STORE, {"run_id": run_id, "time": DEVICE_SECONDS, **given})
    facets = groups.lock(session, digest)
    entry = _count(session, run_id=run_id, digest=digest, seed=seed)
    if entry is None:
        return
    if entry.device is not None and f"device={entry.device}" not in facets:
        groups.look_again(session, digest)
    standings.settle(session, digest)


def withdraw(session: Session, *, owner: str, run_id: UUID, reason: str) -> None:
    """Takes the results of a finished run away, for this reason; the audit keeps them.

    Another finished run of the same spec and seed counts from now on, the first one where there are several.

    Raises: NotFound, also where the run belongs to somebody else; Conflict where it has no results.
    """
    run = session.scalar(select(Run).where(Run.owner == owner, Run.id == run_id))
    if run is None:
        raise NotFound(f"There is no run {run_id}")
    groups.lock(session, run.digest)
    found = of(session, run_id)
    if not found:
        raise Conflict(f"Run {run_id} is {run.state} and has no results: only a finished run's can be withdrawn, once")
    told = {"before": json.dumps({"results": found}), "after": json.dumps({"reason": storable(reason)})}
    session.execute(_NOTE, {"run_id": run_id, **told})
    counted = session.scalar(delete(Entry).where(Entry.run_id == run_id).returning(Entry.run_id))
    session.execute(delete(Result).where(Result.run_id == run_id))
    if counted is None:
        return
    other = session.scalar(_OTHER, {"digest": run.digest, "seed": run.seed})
    if other is not None:
        _count(session, run_id=other, digest=run.digest, seed=run.seed)
    groups.look_again(session, run.digest)
    standings.settle(session, run.digest)


def of(session: Session, run_id: UUID) -> dict[str, dict[str, float]]:
    """The results of a run."""
    found: dict[str, dict[str, float]] = defaultdict(dict)
    for row in session.scalars(select(Result).where(Result.run_id == run_id).order_by(Result.metric)):
        found[row.selection][row.metric] = row.value
    return dict(found)


def withdrawn(session: Session, run_id: UUID) -> str | None:
    """Why the run's results were withdrawn; None where they weren't."""
    noted = select(Deed.after["reason"].astext).where(Deed.object_id == run_id, Deed.action == "withdraw")
    return session.scalar(noted)


def _count(session: Session, *, run_id: UUID, digest: str, seed: int) -> Entry | None:
    """Has the run count for its seed; None where another does."""
    device = select(func.split_part(Attempt.provenance["device"].astext, ":", 1)).where(
        Attempt.run_id == run_id, Attempt.outcome == "succeeded"
    )
    values = {"digest": digest, "seed": seed, "run_id": run_id, "device": device.scalar_subquery()}
    return session.scalar(upsert(Entry).values(values).on_conflict_do_nothing().returning(Entry))


_STORE = text(
    """
    INSERT INTO results (run_id, metric, selection, value)
    SELECT :run_id, metric, selection, value
    FROM unnest(CAST(:metrics AS text[]), CAST(:selections AS text[]), CAST(:values AS float8[]))
        AS given (metric, selection, value)
    UNION ALL SELECT :run_id, :time, 'last',
        sum(trained_seconds * greatest(cardinality(devices), 1))
    FROM attempts WHERE run_id = :run_id HAVING count(trained_seconds) > 0
    """
)
_NOTE = text(
    """
    INSERT INTO audit (actor, action, kind, object_id, before, after) VALUES (
        coalesce(nullif(current_setting('mmix.actor', true), ''), session_user), 'withdraw', 'run', :run_id,
        CAST(:before AS jsonb), CAST(:after AS jsonb)
    )
    """
)
_OTHER = text(
    """
    SELECT id FROM runs WHERE digest = :digest AND seed = :seed AND state = 'succeeded'
    AND EXISTS (SELECT 1 FROM results WHERE run_id = runs.id)
    ORDER BY finished_at, id LIMIT 1
    """
)
