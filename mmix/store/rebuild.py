"""The leaderboard worked out anew from runs, results and specs: nothing of it may be lost, and nothing may be wrong."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.orm import Session

from mmix.store import groups, standings
from mmix.store.standings import Name

_HEXADECIMAL = "0123456789abcdef"


@dataclass(frozen=True)
class Mended:
    """What was wrong: standings, groups that could be chosen by what they aren't, and seeds that were miscounted."""

    standings: Sequence[Name]
    groups: Sequence[str]
    seeds: Sequence[tuple[str, int]]


def shares() -> Iterator[tuple[str, str]]:
    """The first and the last digest of each of 256 shares of all groups: one is locked for some tenths of a second."""
    for high in _HEXADECIMAL:
        for low in _HEXADECIMAL:
            yield high + low, f"{high}{low}~"


def mend(session: Session, *, first: str, last: str) -> Mended:
    """Works out all that is known of the groups between two digests, and says what was wrong."""
    among = {"first": first, "last": last}
    groups.lock_all(session, **among)
    miscounted = [*session.execute(_NEEDLESS, among), *session.execute(_MISSING, among)]
    misread = groups.read_again(session, **among)
    wrong = standings.settle_all(session, **among)
    return Mended(wrong, sorted(misread), sorted({(row.digest, row.seed) for row in miscounted}))


_NEEDLESS = text(
    """
    DELETE FROM entries WHERE digest BETWEEN :first AND :last
    AND NOT EXISTS (SELECT 1 FROM results WHERE results.run_id = entries.run_id) RETURNING digest, seed
    """
)
_MISSING = text(
    """
    WITH lacking AS MATERIALIZED (
        SELECT DISTINCT digest, seed FROM runs WHERE digest BETWEEN :first AND :last AND state = 'succeeded'
        AND NOT EXISTS (SELECT 1 FROM entries WHERE entries.digest = runs.digest AND entries.seed = runs.seed)
    )
    INSERT INTO entries (digest, seed, run_id, device)
    SELECT DISTINCT ON (digest, seed) digest, seed, id, (
        SELECT split_part(provenance ->> 'device', ':', 1) FROM attempts
        WHERE attempts.run_id = runs.id AND outcome = 'succeeded'
    )
    FROM runs JOIN lacking USING (digest, seed) WHERE state = 'succeeded'
    AND EXISTS (SELECT 1 FROM results WHERE results.run_id = runs.id)
    ORDER BY digest, seed, finished_at, id
    ON CONFLICT DO NOTHING RETURNING digest, seed
    """
)
