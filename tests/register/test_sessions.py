"""Connections that break while nobody uses them."""

import pytest
from sqlalchemy import text
from sqlalchemy.engine import Engine
from sqlalchemy.exc import OperationalError

from mmix.settings import Settings
from mmix.store import sessions as store
from mmix.store.sessions import Sessions


def _pid(sessions: Sessions) -> int:
    with sessions.begin() as session:
        return int(session.execute(text("SELECT pg_backend_pid()")).scalar_one())


def _cut(engine: Engine, pid: int) -> None:
    with engine.connect() as connection:
        connection.execute(text("SELECT pg_terminate_backend(:pid, 5000)"), {"pid": pid})


def test_a_connection_that_broke_while_idle_is_replaced_unnoticed(settings: Settings, engine: Engine) -> None:
    other = store.engine(settings, pool_size=1, trusted_seconds=0)
    pid = _pid(store.sessions(other))
    _cut(engine, pid)
    assert _pid(store.sessions(other)) != pid
    other.dispose()


def test_a_connection_that_was_just_used_is_trusted_and_replaced_after_it_failed(
    settings: Settings, engine: Engine
) -> None:
    other = store.engine(settings, pool_size=1, trusted_seconds=1000)
    pid = _pid(store.sessions(other))
    _cut(engine, pid)
    with pytest.raises(OperationalError) as caught:
        _pid(store.sessions(other))
    assert store.is_outage(caught.value)
    assert _pid(store.sessions(other)) != pid
    other.dispose()
