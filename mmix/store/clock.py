"""Points in time: PostgreSQL's, never this process's."""

from datetime import timedelta
from typing import Any

from sqlalchemy import Interval, func, literal
from sqlalchemy.sql.elements import ColumnElement


def ahead(seconds: float) -> ColumnElement[Any]:
    """So many seconds from the transaction's now."""
    return func.now() + span(seconds)


def past(seconds: float) -> ColumnElement[Any]:
    """So many seconds before the transaction's now."""
    return func.now() - span(seconds)


def span(seconds: float) -> ColumnElement[Any]:
    """So many seconds, to be added to a point in time."""
    return literal(timedelta(seconds=seconds), Interval)
