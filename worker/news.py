"""What the database calls out to supervisors: that a run is to stop, or that their worker is to give its runs back.

It only makes them look sooner: what is true stands in the rows, and a supervisor looks at its own at every renewal.
"""

import time

import psycopg
from sqlalchemy import make_url

from mmix.store.sessions import STOPS_CHANNEL

_RETRY_SECONDS = 5.0


class News:
    """A connection that listens; where it breaks, it is made anew after a while, and nobody waits for it."""

    def __init__(self, sqlalchemy_url: str) -> None:
        url = make_url(sqlalchemy_url).set(drivername="postgresql")
        self._url = url.render_as_string(hide_password=False)
        self._connection: psycopg.Connection | None = None
        self._try_at = 0.0

    def filenos(self) -> list[int]:
        """What to watch for something to read; nothing while there is no connection."""
        if self._connection is None and time.monotonic() >= self._try_at:
            self._connect()
        return [] if self._connection is None else [self._connection.fileno()]

    def heard(self) -> set[str]:
        """The ids of runs and workers that were called out since."""
        if self._connection is None:
            return set()
        try:
            return {notice.payload for notice in self._connection.notifies(timeout=0)}
        except psycopg.Error:
            self._drop()
            return set()

    def _connect(self) -> None:
        try:
            self._connection = psycopg.connect(self._url, autocommit=True, connect_timeout=2)
            self._connection.execute(f"LISTEN {STOPS_CHANNEL}")
        except psycopg.Error:
            self._drop()

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._connection, self._try_at = None, time.monotonic() + _RETRY_SECONDS
