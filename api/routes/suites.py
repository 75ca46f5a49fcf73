"""Suites: what is claimed, and what was measured."""

from typing import Annotated, Literal, assert_never

from fastapi import APIRouter, Query
from fastapi.responses import PlainTextResponse

from api.dependencies import Owner, Root, SessionsOf
from api.suites import SuiteAnswer, SuiteLine, Suites, SuiteTable, measured
from mmix.store import line, workers
from mmix.suites.catalogue import SUITES, find
from mmix.suites.latex import latex
from mmix.suites.markdown import markdown
from mmix.suites.study import Budget
from mmix.suites.table import table

router = APIRouter(prefix="/v1/suites", tags=["suites"])


@router.get("")
def list_suites() -> Suites:
    """All suites, with how many runs each budget has."""
    return Suites(items=[SuiteLine.of(suite) for suite in SUITES])


@router.get("/{name}")
def get_suite(name: str, sessions: SessionsOf, _: Owner) -> SuiteAnswer:
    """A suite with its studies, its claims, and the data that it needs."""
    suite = find(name)
    with sessions.begin() as session:
        alive = line.workers(session, alive_seconds=workers.ALIVE_SECONDS)
    return SuiteAnswer.whole(suite, there={data for worker in alive for data in worker.data})


@router.get(
    "/{name}/table",
    response_model=SuiteTable,
    responses={200: {"content": {"text/markdown": {}, "application/x-latex": {}}}},
)
def get_table(
    name: str,
    sessions: SessionsOf,
    root: Root,
    owner: Owner,
    budget: Budget = "quick",
    format: Annotated[Literal["json", "md", "latex"], Query(description="md and latex show per cent")] = "json",
) -> SuiteTable | PlainTextResponse:
    """What a suite's newest comparisons have come to, beside what was published, and the verdicts on its claims."""
    suite = find(name)
    made = table(suite, budget, measured(sessions, root, owner=owner, suite=suite, budget=budget))
    match format:
        case "json":
            return SuiteTable.model_validate(made)
        case "md":
            return PlainTextResponse(markdown(made), media_type="text/markdown")
        case "latex":
            return PlainTextResponse(latex(made), media_type="application/x-latex")
        case _:
            assert_never(format)
