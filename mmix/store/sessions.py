"""Connections to PostgreSQL. Doors open sessions; store functions take them and never commit."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import orjson
import psycopg
from sqlalchemy import create_engine, event, text
from sqlalchemy.engine import Engine
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DBAPIError, DisconnectionError, OperationalError
from sqlalchemy.orm import Session, sessionmaker
from sqlalchemy.pool import ConnectionPoolEntry, PoolProxiedConnection

from mmix.errors import SetupError
from mmix.settings import Settings

Sessions = sessionmaker[Session]

RUNS_CHANNEL = "mmix_runs"
"""The NOTIFY channel that wakes the dispatcher."""

STOPS_CHANNEL = "mmix_stops"
"""The NOTIFY channel that makes supervisors look at their run: its payload is the id of a run or of a worker."""


def engine(settings: Settings, *, pool_size: int = 5, actor: str = "mmix", trusted_seconds: float = 1.0) -> Engine:
    """An engine whose connections are checked before use, so that a restarted server costs no request.

    One that was used within `trusted_seconds` isn't: checking all would cost every transaction a round trip more.
    `actor` is a word for who writes: it stands in the audit beside what is done.
    """
    made = create_engine(
        settings.sqlalchemy_url(),
        pool_size=pool_size,
        max_overflow=2 * pool_size,
        pool_timeout=10,
        json_deserializer=orjson.loads,
        connect_args={"connect_timeout": 5, "application_name": "mmix", "options": f"-c mmix.actor={actor}"},
    )
    _check_idle(made, trusted_seconds)
    return made


def _check_idle(engine: Engine, trusted_seconds: float) -> None:
    """Has the pool replace a connection that broke while nobody used it."""

    @event.listens_for(engine, "checkin")
    def put_back(_: DBAPIConnection | None, record: ConnectionPoolEntry) -> None:
        record.info["idle_since"] = time.monotonic()

    @event.listens_for(engine, "checkout")
    def taken(connection: DBAPIConnection, record: ConnectionPoolEntry, _: PoolProxiedConnection) -> None:
        idle_seconds = time.monotonic() - record.info.get("idle_since", time.monotonic())
        if idle_seconds < trusted_seconds:
            return
        try:
            engine.dialect.do_ping(connection)
        except psycopg.Error as error:
            raise DisconnectionError("the connection broke while it was idle") from error


def sessions(engine: Engine) -> Sessions:
    """The factory that doors use as `with sessions.begin() as session:`."""
    # Store functions don't read again what they have changed; keeping objects in step would double an UPDATE's cost.
    options = {"synchronize_session": False}
    return sessionmaker(engine, expire_on_commit=False, execution_options=options)


def revision(session: Session) -> str | None:
    """The migration that the database stands at; None where it was never migrated."""
    if session.scalar(text("SELECT to_regclass('alembic_version')")) is None:
        return None
    found: str | None = session.scalar(text("SELECT version_num FROM alembic_version"))
    return found


def is_outage(error: BaseException) -> bool:
    """Whether the database could not be reached or hung up, so that the same call may work later."""
    return isinstance(error, OperationalError) or (isinstance(error, DBAPIError) and error.connection_invalidated)


@contextmanager
def reachable(engine: Engine) -> Iterator[None]:
    """Checks that the database answers before the body runs.

    Raises: SetupError, in one line, where it doesn't.
    """
    try:
        with engine.connect() as connection:
            connection.execute(text("SELECT 1"))
    except OperationalError as error:
        raise SetupError(unreachable(engine, error)) from None
    yield


def unreachable(engine: Engine, error: OperationalError) -> str:
    """What to tell a person whose database doesn't answer; the password stays hidden."""
    reason = str(error.orig).strip().splitlines()[0]
    where = engine.url.render_as_string(hide_password=True).replace("+psycopg", "")
    return f"The database at {where} can't be reached ({reason}): start it or correct MMIX_DATABASE_URL"
