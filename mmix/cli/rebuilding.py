"""The leaderboard worked out anew, share by share, each in a transaction of its own."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from mmix.store import rebuild
from mmix.store.rebuild import Mended
from mmix.store.sessions import Sessions

_HANDS = 2
"""Shares at a time: while the database works out one of them, the specs of another are read here."""


def mended(sessions: Sessions, *, keep: bool) -> Iterator[Mended]:
    """What was wrong in each share of the groups; without `keep` it stays so."""

    def mend(share: tuple[str, str]) -> Mended:
        with sessions.begin() as session:
            found = rebuild.mend(session, first=share[0], last=share[1])
            if not keep:
                session.rollback()
        return found

    with ThreadPoolExecutor(_HANDS) as hands:
        yield from hands.map(mend, rebuild.shares())
