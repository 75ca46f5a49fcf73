"""Standings: what the counted runs of a group come to in each metric, always worked out anew from their results.

In the order of the seeds, so that the same results give the same bits whenever it is done.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.orm import Session

_VALUES = (
    "n",
    "mean",
    "m2",
    "low",
    "low_seed",
    "high",
    "high_seed",
    "cell_id",
    "data",
    "model",
    "mixing",
    "epochs",
    "loss",
    "facets",
)
_COLUMNS = ", ".join(("digest", "metric", "selection", *_VALUES))
_NEW = ", ".join(f"{name} = excluded.{name}" for name in _VALUES)
_FOUND = """
    WITH counted AS MATERIALIZED (
        SELECT entries.digest, metric, selection, count(*)::int AS n,
            avg(value ORDER BY seed) AS mean, regr_sxx(value, value ORDER BY seed) AS m2,
            min(value) AS low, (array_agg(seed ORDER BY value, seed))[1] AS low_seed,
            max(value) AS high, (array_agg(seed ORDER BY value DESC, seed))[1] AS high_seed
        FROM entries JOIN results ON results.run_id = entries.run_id
        WHERE entries.digest BETWEEN :first AND :last
        GROUP BY entries.digest, metric, selection
    ), chosen AS MATERIALIZED (
        SELECT digest, cell_id, cells.data, cells.model, cells.mixing, epochs, loss,
            ARRAY(SELECT hashtext(word) FROM unnest(facets) AS word) AS facets
        FROM groups LEFT JOIN cells ON cells.id = cell_id WHERE digest BETWEEN :first AND :last
    ), due AS MATERIALIZED (
        SELECT * FROM counted JOIN chosen USING (digest)
    ), held AS MATERIALIZED (
        SELECT * FROM leaderboard WHERE digest BETWEEN :first AND :last
    ), wrong AS MATERIALIZED (
        SELECT digest, metric, selection, due.digest IS NULL AS needless
        FROM due FULL JOIN held USING (digest, metric, selection)
        WHERE ({due}) IS DISTINCT FROM ({held})
    )
""".format(
    due=", ".join(f"due.{name}" for name in _VALUES),
    held=", ".join(f"held.{name}" for name in _VALUES),
)
_WRONG = "SELECT digest, metric, selection FROM wrong ORDER BY digest, metric, selection"
_MENDED = f""", mended AS (
        INSERT INTO leaderboard ({_COLUMNS})
        SELECT {_COLUMNS} FROM due JOIN wrong USING (digest, metric, selection)
        ON CONFLICT (digest, metric, selection) DO UPDATE SET {_NEW}
    ), taken_away AS (
        DELETE FROM leaderboard USING wrong WHERE needless AND leaderboard.digest = wrong.digest
        AND leaderboard.metric = wrong.metric AND leaderboard.selection = wrong.selection
    )
"""
_SETTLE = text(_FOUND + _MENDED + _WRONG)


@dataclass(frozen=True, order=True)
class Name:
    """Which standing."""

    digest: str
    metric: str
    selection: str


def settle(session: Session, digest: str) -> None:
    """Makes the standings of a group, which the caller has locked, those of the runs that count."""
    session.execute(_SETTLE, {"first": digest, "last": digest})


def settle_all(session: Session, *, first: str, last: str) -> Sequence[Name]:
    """Does so for the locked groups between two digests; those standings that were wrong."""
    return [Name(*row) for row in session.execute(_SETTLE, {"first": first, "last": last})]
