"""Many rows in one statement: a thousand in about 20 ms, where a statement each takes several times as long."""

import json
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from mmix.store.tables import Base

Row = Mapping[str, Any]


def insert(session: Session, table: type[Base], rows: Sequence[Row]) -> None:
    """Adds the rows, all of which name the same columns; the database fills in the others."""
    _insert(session, table, rows, "")


def insert_new(session: Session, table: type[Base], rows: Sequence[Row]) -> None:
    """Adds those rows that aren't there yet, by any key of the table."""
    _insert(session, table, rows, "ON CONFLICT DO NOTHING")


def _insert(session: Session, table: type[Base], rows: Sequence[Row], otherwise: str) -> None:
    if not rows:
        return
    name, columns = table.__tablename__, ", ".join(rows[0])
    # PostgreSQL turns JSON into the table's own types, so that one parameter carries all columns of all rows.
    statement = (
        f"INSERT INTO {name} ({columns}) SELECT {columns} "
        f"FROM jsonb_populate_recordset(CAST(NULL AS {name}), CAST(:rows AS jsonb)) {otherwise}"
    )
    session.execute(text(statement), {"rows": json.dumps(rows, default=_told)})


def _told(value: object) -> str:
    """Raises: TypeError for what isn't JSON and no id."""
    if isinstance(value, UUID):
        return str(value)
    raise TypeError(f"{value!r} can't be told in JSON")
