"""Turns a validation error into places, values given and values allowed, for every door alike."""

from collections.abc import Mapping, Sequence
from typing import Any, TypedDict

_BOUNDS = {"gt": "above", "ge": "at least", "lt": "below", "le": "at most"}
_KEPT = 200  # characters of a bad value that are shown again


class Problem(TypedDict):
    """One refusal: where, why, what stood there and what may stand there."""

    loc: list[str | int]
    msg: str
    given: str | None
    allowed: str | None


def problems(errors: Sequence[Mapping[str, Any]], document: object) -> list[Problem]:
    """The errors of a pydantic ValidationError on `document`, each with its place in the document."""
    return [_problem(error, document) for error in errors]


def sentence(problem: Problem) -> str:
    """The problem in one line."""
    place = ".".join(str(part) for part in problem["loc"]) or "the document"
    given = f" (given: {problem['given']})" if problem["given"] is not None else ""
    allowed = f"; allowed: {problem['allowed']}" if problem["allowed"] else ""
    return f"{place}: {problem['msg']}{given}{allowed}"


def _problem(error: Mapping[str, Any], document: object) -> Problem:
    context = error.get("ctx") or {}
    loc = _place(list(error["loc"]), document, missing=error["type"] == "missing")
    loc += str(context["field"]).split(".") if "field" in context else []
    loc += ["kind"] if error["type"].startswith("union_tag") else []
    return Problem(loc=loc, msg=error["msg"], given=_given(error, context), allowed=_allowed(error["type"], context))


def _given(error: Mapping[str, Any], context: Mapping[str, Any]) -> str | None:
    if error["type"] in {"missing", "union_tag_not_found"}:
        return None
    return _shown(context.get("given", context.get("tag", error.get("input"))))


def _place(loc: list[str | int], document: object, *, missing: bool) -> list[str | int]:
    """Drops the names that pydantic adds for members of unions: the reader never wrote them."""
    if document is None:  # not a document, but query parameters or headers: their places are plain
        return loc
    place: list[str | int] = []
    for position, part in enumerate(loc):
        inside = isinstance(document, dict) and part in document
        element = isinstance(document, list | tuple) and isinstance(part, int) and part < len(document)
        if inside or element:
            document = document[part]  # type: ignore[index]
            place.append(part)
        elif missing and position == len(loc) - 1:
            place.append(part)
    return place


def _allowed(kind: str, context: Mapping[str, Any]) -> str | None:
    if kind == "extra_forbidden":
        return "no field of this name"
    for key in ("allowed", "expected_tags", "expected", "pattern"):
        if key in context:
            return str(context[key])
    bounds = [f"{word} {context[key]}" for key, word in _BOUNDS.items() if key in context]
    lengths = [
        f"{word} {context[key]} items"
        for key, word in {"min_length": "at least", "max_length": "at most"}.items()
        if key in context
    ]
    return " and ".join(bounds + lengths) or None


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _KEPT else text[:_KEPT] + "..."
