"""What an attempt's trainer reports and prints, kept until the database has it."""

import time
from collections import deque
from collections.abc import Iterable
from dataclasses import asdict
from itertools import chain, islice
from pathlib import Path

from mmix.store import checkpoints, events
from mmix.store.attempts import Key
from mmix.store.events import Batch, Line, Point, Progress, Start
from mmix.store.sessions import Sessions
from worker import storage, wire
from worker.tail import Tail

MOST_LINES = 10_000
"""An attempt's log has no more lines than this; the last one then says where the others lie."""

MOST_POINTS = 100_000
"""So many points of curves outlast an outage of the database; of more the oldest are forgotten."""

_BATCH = 1000


class Journal:
    """One attempt's reports in the order in which they came, and the lines of its log."""

    def __init__(self, key: Key, *, log: Path) -> None:
        self._key = key
        self._log = log
        self._tail = Tail(log)
        self._start: Start | None = None
        self._progress: Progress | None = None
        self._points: deque[Point] = deque(maxlen=MOST_POINTS)
        self._lines: deque[Line] = deque()
        self._saved: list[wire.Saved] = []
        self._printed = 0

    @property
    def empty(self) -> bool:
        """Whether the database has everything, as far as the log was read."""
        return not (self._start or self._progress or self._points or self._lines or self._saved)

    def add(self, event: wire.Started | wire.Trained | wire.Saved) -> None:
        """Takes down what the trainer reports."""
        match event:
            case wire.Started():
                self._start = Start(pid=event.pid, first_epoch=event.first_epoch)
            case wire.Trained():
                self._progress = Progress(
                    epoch=event.epoch,
                    step=event.step,
                    images_per_second=event.images_per_second,
                    seconds_left=event.seconds_left,
                    seconds=event.seconds,
                )
                self._points.extend(Point(name, event.epoch, value) for name, value in event.metrics.items())
            case wire.Saved():
                self._saved.append(event)

    def close(self) -> None:
        """Takes down the rest of the log: the trainer has ended."""
        self._take_down(self._tail.rest())

    def flush(self, sessions: Sessions, *, seconds: float) -> None:
        """Stores what there is for about so long. What is left, or could not be stored, is stored by a later call.

        Raises: Fenced where the attempt has lost its run.
        """
        until = time.monotonic() + seconds
        self._register(sessions)
        self._read()
        while not self.empty:
            self._store(sessions)
            if time.monotonic() > until:
                return
            self._read()

    def _register(self, sessions: Sessions) -> None:
        """Notes the checkpoints, in a transaction that waits for the disk, and deletes those that fell out by it."""
        if not self._saved:
            return
        with sessions.begin() as session:
            fallen = [checkpoints.register(session, self._key, **asdict(saved)) for saved in self._saved]
        self._saved.clear()
        storage.delete_soon(chain.from_iterable(fallen))

    def _store(self, sessions: Sessions) -> None:
        batch = Batch(
            start=self._start,
            progress=self._progress,
            points=list(islice(self._points, _BATCH)),
            lines=list(islice(self._lines, _BATCH)),
        )
        with sessions.begin() as session:
            events.record(session, self._key, batch)
        # Not before the commit: what an outage swallowed is sent again.
        self._start = self._progress = None
        for _ in batch.points:
            self._points.popleft()
        for _ in batch.lines:
            self._lines.popleft()

    def _read(self) -> None:
        """Reads on in the log, unless enough of it waits to be stored: the file keeps the rest."""
        if len(self._lines) < _BATCH and self._printed < MOST_LINES:
            self._take_down(self._tail.read())

    def _take_down(self, printed: Iterable[str]) -> None:
        for words in printed:
            if self._printed == MOST_LINES:
                return
            self._printed += 1
            last = self._printed == MOST_LINES
            self._lines.append(Line(self._printed, self._more if last else words))

    @property
    def _more(self) -> str:
        return f"More than {MOST_LINES:,} lines were printed: all of them lie in {self._log} on the worker's machine"
