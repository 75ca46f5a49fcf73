"""The Celery worker: `python -m worker.main`. Its pool processes supervise trainers; it says that it is alive."""

import os
import sys
import threading
from uuid import uuid4

import structlog
from sqlalchemy.exc import DBAPIError

from mmix import broker, logs, settings
from mmix.errors import MmixError
from mmix.store import sessions, workers
from worker.place import Workplace, workplace
from worker.tasks import WORKER_ID

ALIVE_SECONDS = 5.0
"""How often a worker says that it is alive; the dispatcher believes it for three times as long."""

_log = structlog.get_logger("worker")


def main() -> None:
    """Works until it is told to stop: SIGTERM lets running trainings end, SIGQUIT doesn't wait for them."""
    logs.configure()
    try:
        _work(settings.load())
    except MmixError as error:
        sys.exit(f"mmix worker: {error}")


def _work(found: settings.Settings) -> None:
    worker_id = uuid4()
    os.environ[WORKER_ID] = str(worker_id)  # the pool's processes inherit it
    place = workplace(found, worker_id=worker_id)
    app = broker.application(found)
    app.conf.update(
        imports=("worker.tasks",),
        worker_pool_start_method="spawn",  # neither psycopg nor CUDA may be inherited by fork
    )
    heart = Heart(sessions.sessions(sessions.engine(found, pool_size=1)), place)
    heart.start()
    try:
        app.worker_main(
            [
                "worker",
                "--loglevel=WARNING",
                f"--concurrency={len(place.devices)}",
                f"--queues={','.join(place.queues)}",
                f"--hostname={worker_id.hex[:8]}@{place.host}",
                "--without-gossip",
                "--without-mingle",
                "--without-heartbeat",
            ]
        )
    finally:
        heart.stop()


class Heart:
    """A thread that keeps the worker's row alive and removes it at the end."""

    def __init__(self, sessions: sessions.Sessions, place: Workplace) -> None:
        self._sessions = sessions
        self._place = place
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._beat, daemon=True)

    def start(self) -> None:
        """Begins to beat."""
        self._thread.start()

    def stop(self) -> None:
        """Beats no more and takes the row away, where the database can be reached."""
        self._stopped.set()
        self._thread.join(ALIVE_SECONDS)
        try:
            with self._sessions.begin() as session:
                workers.leave(session, worker_id=self._place.worker_id)
        except DBAPIError:
            _log.warning("could not sign off", worker=str(self._place.worker_id))

    def _beat(self) -> None:
        place = self._place
        while not self._stopped.is_set():
            try:
                with self._sessions.begin() as session:
                    workers.beat(
                        session,
                        worker_id=place.worker_id,
                        host=place.host,
                        pid=os.getpid(),
                        queues=place.kinds,
                        inventory=place.devices,
                    )
            except DBAPIError as error:
                _log.warning("the database can't be reached", reason=str(error.orig).splitlines()[0])
            self._stopped.wait(ALIVE_SECONDS)


if __name__ == "__main__":
    main()
