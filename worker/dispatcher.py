"""The dispatcher: rings a doorbell for queued runs, and takes runs back from attempts whose lease lapsed.

It is awake at once when a run is queued (LISTEN/NOTIFY) and looks every second anyway. One leads; others stand by.
"""

import itertools
import signal
import sys
import time
from collections.abc import Sequence
from types import FrameType

import psycopg
import structlog
from celery import Celery
from kombu.exceptions import OperationalError as BrokerOutage
from redis.exceptions import RedisError
from sqlalchemy.exc import DBAPIError

from mmix import broker, logs, settings
from mmix.errors import MmixError
from mmix.settings import Settings
from mmix.store import endings, hints, sessions, waits, workers
from mmix.store.hints import Hint
from mmix.store.sessions import RUNS_CHANNEL, Sessions

_BROKER_SECONDS = 2.0  # a frozen Redis may hold the dispatcher up this long, and no longer
_OUTAGE_SECONDS = 1.0
_PATIENCE_SECONDS = 60.0  # a run on several devices waits so long before those behind it wait for it

_log = structlog.get_logger("dispatcher")


class Dispatcher:
    """Looks, rings, reaps: until told to stop."""

    def __init__(self, found: Settings) -> None:
        self._settings = found
        self._engine = sessions.engine(found, pool_size=1, actor="dispatcher")
        self._sessions: Sessions = sessions.sessions(self._engine)
        self._app: Celery = broker.application(found, socket_timeout_seconds=_BROKER_SECONDS)
        self._stopped = False
        self._broker_down = False

    def stop(self, _: int, __: FrameType | None) -> None:
        """Ends the loop after the round at hand."""
        self._stopped = True

    def run(self) -> None:
        """Leads, or waits to lead; survives the database's outages."""
        while not self._stopped:
            try:
                self._lead()
            except (psycopg.OperationalError, DBAPIError) as error:
                if isinstance(error, DBAPIError) and not sessions.is_outage(error):
                    raise
                _log.warning("the database can't be reached", reason=str(error).splitlines()[0])
                time.sleep(_OUTAGE_SECONDS)

    def _lead(self) -> None:
        # The connection that listens also holds the leader's lock: both end together.
        with psycopg.connect(
            self._engine.url.set(drivername="postgresql").render_as_string(hide_password=False),
            autocommit=True,
            connect_timeout=5,
        ) as connection:
            connection.execute(f"LISTEN {RUNS_CHANNEL}")
            leads = False
            while not self._stopped:
                leads = leads or self._take_the_lead(connection)
                if leads:
                    self.round()
                self._await_news(connection)

    def _take_the_lead(self, connection: psycopg.Connection) -> bool:
        row = connection.execute("SELECT pg_try_advisory_lock(%s)", (hints.LEADER_LOCK,)).fetchone()
        return row is not None and bool(row[0])

    def _await_news(self, connection: psycopg.Connection) -> None:
        heard = list(connection.notifies(timeout=self._settings.poll_seconds, stop_after=1))
        if heard:
            list(connection.notifies(timeout=0))  # what has piled up is one piece of news

    def round(self) -> None:
        """One look: reap, promote, then ring."""
        with self._sessions.begin() as session:
            reaped = endings.reap(session, grace_seconds=self._settings.grace_seconds)
            waits.promote(session)
        if reaped:
            _log.warning("leases lapsed", runs=reaped)
        with self._sessions.begin() as session:
            wanted = hints.wanted(
                session,
                hint_seconds=self._settings.hint_seconds,
                alive_seconds=workers.ALIVE_SECONDS,
                patience_seconds=_PATIENCE_SECONDS,
            )
            # Before they are rung for: a worker may be faster than this process, and find that it can't have the run.
            hints.stamp(session, [hint.run_id for hint in wanted])
        self._ring(wanted)

    def _ring(self, wanted: Sequence[Hint]) -> None:
        rung = list(itertools.takewhile(self._rang, wanted))  # one failure is enough to know that Redis is away
        if len(rung) < len(wanted):
            with self._sessions.begin() as session:
                hints.unstamp(session, [hint.run_id for hint in wanted[len(rung) :]])

    def _rang(self, hint: Hint) -> bool:
        try:
            self._app.send_task(broker.CONDUCT, (str(hint.run_id),), queue=_queue_of(hint), retry=False)
        except (BrokerOutage, RedisError, OSError) as error:
            if not self._broker_down:
                _log.warning("redis can't be reached; runs wait in the database", reason=str(error))
            self._broker_down = True
            return False
        self._broker_down = False
        return True


def _queue_of(hint: Hint) -> str:
    if hint.worker is not None:
        return broker.own_queue(hint.worker)
    return broker.queue_name(hint.device, devices=hint.devices)


def main() -> None:
    """Dispatches until SIGTERM or SIGINT."""
    logs.configure()
    try:
        dispatcher = Dispatcher(settings.load())
    except MmixError as error:
        sys.exit(f"mmix dispatcher: {error}")
    signal.signal(signal.SIGTERM, dispatcher.stop)
    signal.signal(signal.SIGINT, dispatcher.stop)
    dispatcher.run()


if __name__ == "__main__":
    main()
