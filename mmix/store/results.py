"""Results and the leaderboard rollup, written in the transaction that finishes a run."""

from collections.abc import Mapping
from uuid import UUID

from sqlalchemy import insert
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import Session

from mmix.store.tables import Entry, Result, Standing


def store(session: Session, *, run_id: UUID, digest: str, seed: int, found: Mapping[str, Mapping[str, float]]) -> None:
    """Stores results given as {selection: {metric: value}}; the first finished run of a seed enters the rollup."""
    rows = [
        {"metric": metric, "selection": selection, "value": value}
        for selection, metrics in found.items()
        for metric, value in metrics.items()
    ]
    if not rows:
        return
    session.execute(insert(Result), [{"run_id": run_id, **row} for row in rows])
    if _counts(session, run_id=run_id, digest=digest, seed=seed):
        _roll_up(session, digest=digest, rows=rows)


def _counts(session: Session, *, run_id: UUID, digest: str, seed: int) -> bool:
    entered = session.scalar(
        upsert(Entry).values(digest=digest, seed=seed, run_id=run_id).on_conflict_do_nothing().returning(Entry.run_id)
    )
    return entered is not None


def _roll_up(session: Session, *, digest: str, rows: list[dict[str, object]]) -> None:
    """Adds one value to each standing, by Welford's update (Welford, 1962)."""
    # One order for all: two runs of a group that finish at once must not lock each other's rows crosswise.
    ordered = sorted(rows, key=lambda row: (str(row["metric"]), str(row["selection"])))
    statement = upsert(Standing)
    new = statement.excluded
    delta = new.mean - Standing.mean
    updated_mean = Standing.mean + delta / (Standing.n + 1)
    session.execute(
        statement.on_conflict_do_update(
            index_elements=["digest", "metric", "selection"],
            set_={
                "n": Standing.n + 1,
                "mean": updated_mean,
                "m2": Standing.m2 + delta * (new.mean - updated_mean),
            },
        ),
        [
            {
                "digest": digest,
                "metric": row["metric"],
                "selection": row["selection"],
                "n": 1,
                "mean": row["value"],
                "m2": 0,
            }
            for row in ordered
        ],
    )
