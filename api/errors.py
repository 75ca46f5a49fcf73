"""Every error that leaves the API, as problem+json."""

import http
import logging
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.exceptions import HTTPException

from api.schemas import Problem, ProblemItem
from mmix.errors import Conflict, NotFound, StorageError
from mmix.spec.problems import problems, sentence
from mmix.store.sessions import is_outage

PROBLEM_TYPE = "application/problem+json"
_log = logging.getLogger("api")


def problem(
    status: int,
    detail: str,
    *,
    errors: list[ProblemItem] | None = None,
    headers: dict[str, str] | None = None,
) -> JSONResponse:
    """The answer for an error."""
    body = Problem(title=http.HTTPStatus(status).phrase, status=status, detail=detail, errors=errors or [])
    return JSONResponse(body.model_dump(), status, headers, media_type=PROBLEM_TYPE)


RESPONSES: dict[int | str, dict[str, Any]] = {
    status: {
        "description": http.HTTPStatus(status).phrase,
        "content": {PROBLEM_TYPE: {"schema": {"$ref": ref}}},
    }
    for ref in ["#/components/schemas/Problem"]
    for status in (400, 404, 409, 413, 422, 503)
}
"""The errors that any operation may answer, for the OpenAPI document."""


def install(app: FastAPI) -> None:
    """Teaches the application to answer problem+json for each kind of error."""
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(NotFound, _not_found)
    app.add_exception_handler(Conflict, _conflict)
    app.add_exception_handler(StorageError, _storage)
    app.add_exception_handler(DBAPIError, _database)
    app.add_exception_handler(PoolTimeout, _busy)
    app.add_exception_handler(Exception, _bug)


def _invalid(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    items: list[ProblemItem] = []
    sentences: list[str] = []
    for raw in error.errors():
        source = raw["loc"][0] if raw["loc"] else "body"
        inner = {**raw, "loc": raw["loc"][1:]}
        if raw["type"] == "json_invalid":
            inner = {
                **inner,
                "loc": (),
                "msg": f"The body is not JSON: {raw['ctx']['error']} at byte {raw['loc'][-1]}",
                "ctx": {},
                "input": None,
            }
        found = problems([inner], error.body if source == "body" else None)[0]
        sentences.append(sentence(found))
        items.append(ProblemItem(**{**found, "loc": [str(source), *found["loc"]]}))
    return problem(422, "; ".join(sentences[:3]) + ("; ..." if len(sentences) > 3 else ""), errors=items[:100])


def _http(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    headers = dict(error.headers) if error.headers else None
    return problem(error.status_code, str(error.detail), headers=headers)


def _not_found(_: Request, error: Exception) -> Response:
    return problem(404, str(error))


def _conflict(_: Request, error: Exception) -> Response:
    return problem(409, str(error))


def _storage(_: Request, error: Exception) -> Response:
    _log.warning("artifacts can't be reached: %s", error)
    return problem(503, "Artifacts can't be reached; try again shortly", headers={"Retry-After": "5"})


def _database(request: Request, error: Exception) -> Response:
    if not is_outage(error):
        return _bug(request, error)
    _log.warning("the database can't be reached: %s", str(error).splitlines()[0])
    return problem(503, "The database can't be reached; try again shortly", headers={"Retry-After": "2"})


def _busy(_: Request, __: Exception) -> Response:
    return problem(503, "All database connections are busy; try again shortly", headers={"Retry-After": "1"})


def _bug(request: Request, error: Exception) -> Response:
    _log.error("%s %s failed", request.method, request.url.path, exc_info=error)
    return problem(500, "mmix made a mistake; the server's log has the details")
