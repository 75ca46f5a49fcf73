"""The Celery worker: `python -m worker.main`. Its pool processes supervise trainers; it says that it is alive."""

import os
import subprocess
import sys
import tempfile
import threading
from uuid import uuid4

import structlog
from celery import signals
from sqlalchemy.exc import DBAPIError

from mmix import broker, logs, settings
from mmix.errors import MmixError
from mmix.parentage import bound_command
from mmix.store import sessions, workers
from worker import birth, shelves, storage
from worker.birth import NURSERY
from worker.place import Workplace, workplace
from worker.sweep import swept
from worker.tasks import WORKER_ID

_log = structlog.get_logger("worker")


def main() -> None:
    """Works until SIGTERM, which makes it give its runs back; SIGQUIT doesn't wait for that."""
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
    nursery = Nursery() if found.nursery else None
    if nursery is not None:
        os.environ[NURSERY] = nursery.path
    door = sessions.sessions(sessions.engine(found, pool_size=1, actor="worker"))
    heart = Heart(door, place, nursery)
    heart.start()
    # In a thread: a storage that doesn't answer needn't keep a worker from its work.
    threading.Thread(target=storage.tidy_all, args=(door,), kwargs={"artifacts": place.artifacts}, daemon=True).start()
    signals.worker_shutting_down.connect(heart.give_back, weak=False)
    try:
        with swept(door, place.scratch, every_seconds=found.lease_seconds):
            app.worker_main(
                [
                    "worker",
                    "--loglevel=WARNING",
                    f"--concurrency={len(place.devices)}",
                    f"--queues={','.join([*place.queues, broker.own_queue(worker_id)])}",
                    f"--hostname={worker_id.hex[:8]}@{place.host}",
                    "--without-gossip",
                    "--without-mingle",
                    "--without-heartbeat",
                ]
            )
    finally:
        heart.stop()


class Nursery:
    """The worker's nursery, started again where it ends; it ends with the thread that tends it."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="mmix-nursery-")
        self._process: subprocess.Popen[bytes] | None = None
        self.path = os.path.join(self._folder.name, "socket")

    def tend(self) -> None:
        """Starts it if it doesn't live."""
        if self._process is None or self._process.poll() is not None:
            self._process = subprocess.Popen(
                bound_command(sys.executable, *birth.command(self.path)),
                env=birth.environment(),
                start_new_session=True,  # Ctrl-C is the worker's to hear
            )

    def end(self) -> None:
        """Ends it, and the trainers that it has forked and nobody ended before."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        self._folder.cleanup()


class Heart:
    """A thread that keeps the worker's row and its nursery alive, and removes both at the end."""

    def __init__(self, sessions: sessions.Sessions, place: Workplace, nursery: Nursery | None) -> None:
        self._sessions = sessions
        self._nursery = nursery
        self._place = place
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._beat, daemon=True)

    def start(self) -> None:
        """Begins to beat."""
        self._thread.start()

    def give_back(self, **_: object) -> None:
        """Has the supervisors stop their trainings and give the runs back: Celery waits for them before it ends."""
        try:
            with self._sessions.begin() as session:
                workers.drain(session, worker_id=self._place.worker_id)
        except DBAPIError:
            _log.warning("could not give the runs back", worker=str(self._place.worker_id))

    def stop(self) -> None:
        """Beats no more and takes the row away, where the database can be reached."""
        self._stopped.set()
        self._thread.join(workers.BEAT_SECONDS)
        if self._nursery is not None:
            self._nursery.end()
        try:
            with self._sessions.begin() as session:
                workers.leave(session, worker_id=self._place.worker_id)
        except DBAPIError:
            _log.warning("could not sign off", worker=str(self._place.worker_id))

    def _beat(self) -> None:
        place = self._place
        while not self._stopped.is_set():
            if self._nursery is not None:
                self._nursery.tend()
            data = shelves.look(place.data)  # again each time: data may be prepared while the worker works
            try:
                with self._sessions.begin() as session:
                    workers.beat(
                        session,
                        worker_id=place.worker_id,
                        host=place.host,
                        pid=os.getpid(),
                        queues=place.kinds,
                        inventory=place.devices,
                        data=data,
                    )
            except DBAPIError as error:
                _log.warning("the database can't be reached", reason=str(error.orig).splitlines()[0])
            self._stopped.wait(workers.BEAT_SECONDS)


if __name__ == "__main__":
    main()
