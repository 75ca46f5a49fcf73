"""The leaderboard."""

import base64
import binascii
import json
import math
from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.exceptions import RequestValidationError

from api.dependencies import SessionsOf
from api.schemas import Leaderboard, LeaderboardQuery, LeaderboardRow
from mmix.store import leaderboard
from mmix.store.leaderboard import After, Filters, Place

router = APIRouter(prefix="/v1/leaderboard", tags=["leaderboard"])


@router.get("")
def get_leaderboard(query: Annotated[LeaderboardQuery, Query()], sessions: SessionsOf) -> Leaderboard:
    """Groups of runs that differ in nothing but the seed, best first by the metric `sort`."""
    with sessions.begin() as session:
        places = leaderboard.page(
            session,
            filters=Filters(data=query.data, model=query.model, mixing=query.mixing),
            sort=query.sort,
            selection=query.selection,
            metrics=query.metric,
            after=None if query.cursor is None else _read_cursor(query.cursor),
            limit=query.limit + 1,
        )
    shown = places[: query.limit]
    return Leaderboard(
        items=[LeaderboardRow.of(place) for place in shown],
        next=_cursor(shown[-1], query.sort) if len(places) > query.limit else None,
    )


def _cursor(place: Place, sort: str) -> str:
    return base64.urlsafe_b64encode(json.dumps([place.metrics[sort].mean, place.group]).encode()).decode()


def _read_cursor(cursor: str) -> After:
    try:
        mean, digest = json.loads(base64.urlsafe_b64decode(cursor.encode()))
        if isinstance(mean, float | int) and math.isfinite(mean) and isinstance(digest, str) and digest.isalnum():
            return After(mean=float(mean), digest=digest)
    except (binascii.Error, ValueError, TypeError, OverflowError, RecursionError):
        pass
    told = {"allowed": "the `next` of the page before", "given": cursor}
    raise RequestValidationError(
        [
            {
                "type": "cursor",
                "loc": ("query", "cursor"),
                "msg": "This is no cursor",
                "input": cursor,
                "ctx": told,
            }
        ]
    )
