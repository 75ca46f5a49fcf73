"""The leaderboard."""

from collections.abc import Iterator
from itertools import chain
from typing import Annotated

from fastapi import APIRouter, Header, Query
from fastapi.responses import Response, StreamingResponse

from api.boards import MEDIA_TYPES, Cursor, LeaderboardQuery, format_of, read
from api.dependencies import SamplesOf, SessionsOf
from api.exports import comma_separated, latex, markdown
from api.rows import ALWAYS, Json, Leaderboard, encoded, following, rows
from api.sheets import sheet
from mmix.store import leaderboard
from mmix.store.leaderboard import After, Line
from mmix.store.samples import Samples
from mmix.store.sessions import Sessions

router = APIRouter(prefix="/v1/leaderboard", tags=["leaderboard"])

_LIMIT = 50
_FORMATS: dict[str, dict[str, str]] = {media_type: {} for name, media_type in MEDIA_TYPES.items() if name != "json"}


@router.get("", response_model=Leaderboard, responses={200: {"content": _FORMATS}})
def get_leaderboard(
    query: Annotated[LeaderboardQuery, Query()],
    sessions: SessionsOf,
    samples: SamplesOf,
    accept: Annotated[str | None, Header(include_in_schema=False)] = None,
) -> Response:
    """Groups of runs that differ in nothing but the seed, best first by the metric `sort`.

    As JSON, or as `format` or the Accept header says: Markdown and LaTeX have a page, CSV all groups unless there is a
    `limit`.
    """
    cursor = None if query.cursor is None else read(query.cursor)
    match format_of(query, accept):
        case "json":
            return Response(encoded(_page(sessions, samples, query, cursor)), media_type=MEDIA_TYPES["json"])
        case "csv":
            return _stream(sessions, query, cursor)
        case "markdown":
            shown = sheet(_page(sessions, samples, query, cursor)["items"], metrics=_metrics(query))
            return Response(markdown(shown), media_type=MEDIA_TYPES["markdown"])
        case "latex":
            shown = sheet(_page(sessions, samples, query, cursor)["items"], metrics=_metrics(query))
            return Response(latex(shown), media_type=MEDIA_TYPES["latex"])


def _page(sessions: Sessions, samples: Samples, query: LeaderboardQuery, cursor: Cursor | None) -> Json:
    limit = _LIMIT if query.limit is None else query.limit
    with sessions.begin() as session:
        places = leaderboard.page(
            session,
            filters=query.filters(),
            sort=query.sort,
            selection=query.selection,
            metrics=query.metric,
            after=None if cursor is None else cursor.after,
            limit=limit + 1,
            always=ALWAYS,
            samples=samples,
        )
    shown = places[:limit]
    items = rows(shown, sort=query.sort, cursor=cursor, with_published=query.published)
    if len(places) <= limit:
        return {"items": items, "next": None}
    last = After(mean=shown[-1].metrics[query.sort].mean, digest=shown[-1].group)
    return {"items": items, "next": following(items, sort=query.sort, cursor=cursor, after=last).told()}


def _stream(sessions: Sessions, query: LeaderboardQuery, cursor: Cursor | None) -> StreamingResponse:
    text = comma_separated(_chunks(sessions, query, cursor), metrics=_metrics(query))
    # What can go wrong does so here, while there is still a status to say it with.
    begun = chain([next(text) + next(text, "")], text)
    headers = {"Content-Disposition": 'attachment; filename="leaderboard.csv"'}
    return StreamingResponse(begun, media_type=MEDIA_TYPES["csv"], headers=headers)


def _chunks(sessions: Sessions, query: LeaderboardQuery, cursor: Cursor | None) -> Iterator[list[Line]]:
    with sessions.begin() as session:
        yield from leaderboard.listing(
            session,
            filters=query.filters(),
            sort=query.sort,
            selection=query.selection,
            metrics=query.metric,
            after=None if cursor is None else cursor.after,
            limit=query.limit,
            always=ALWAYS,
        )


def _metrics(query: LeaderboardQuery) -> list[str]:
    """The metrics of a table: the one that sorts, then those that were asked for."""
    return list(dict.fromkeys([query.sort, *query.metric]))
