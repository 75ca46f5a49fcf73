"""What a trainer reports as it goes: where it stands, its curves, its log. Stored in batches, each under the fence.

A batch that is stored twice is one batch: whoever didn't hear whether it was stored may store it again.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from sqlalchemy import text
from sqlalchemy.orm import Session

from mmix.store import attempts
from mmix.store.attempts import Key
from mmix.store.words import storable

MOST_CHARACTERS = 2000
"""What is kept of a line of the log."""


@dataclass(frozen=True)
class Start:
    """A trainer's process, and the epoch that it begins with (1 when fresh)."""

    pid: int
    first_epoch: int


@dataclass(frozen=True)
class Progress:
    """How far an attempt has come: epochs and the optimiser's steps done, its speed, and how long the rest may take.

    `seconds` have passed since its trainer was ready.
    """

    epoch: int
    step: int
    images_per_second: float
    seconds_left: float
    seconds: float


@dataclass(frozen=True)
class Point:
    """One value of one metric after `step` epochs."""

    metric: str
    step: int
    value: float


@dataclass(frozen=True)
class Line:
    """The n-th line that a trainer printed, from 1."""

    n: int
    words: str


@dataclass(frozen=True)
class Batch:
    """What was reported since the last batch; of two values of one point the later one counts."""

    start: Start | None = None
    progress: Progress | None = None
    points: Sequence[Point] = ()
    lines: Sequence[Line] = ()


def record(session: Session, key: Key, batch: Batch) -> None:
    """Stores what an attempt reports, in a transaction of its own.

    The commit doesn't wait for the disk, as a curve's last moments are worth no wait: nothing that must outlast a power
    cut may share the transaction.

    Raises: Fenced where the attempt has lost its run.
    """
    session.execute(text("SET LOCAL synchronous_commit = off"))
    attempts.hold(session, key)
    if batch.start is not None:
        session.execute(attempts.changing(key).values(asdict(batch.start)))
    if batch.progress is not None:
        _advance(session, key, batch.progress)
    if batch.points:
        _draw(session, key, batch.points)
    if batch.lines:
        _print(session, key, batch.lines)


# One statement: each second of each run pays for it, and a trip to the server costs more than the rows.
_ADVANCE = text("""
    WITH told AS (
        UPDATE attempts SET last_epoch = :epoch, last_step = :step, images_per_second = :images_per_second,
            seconds_left = :seconds_left, trained_seconds = :seconds
        WHERE run_id = :run_id AND n = :attempt
    )
    UPDATE runs SET epoch = :epoch WHERE id = :run_id
""")


def _advance(session: Session, key: Key, progress: Progress) -> None:
    session.execute(_ADVANCE, {"run_id": key.run_id, "attempt": key.attempt, **vars(progress)})


# Arrays make a batch one statement, whatever its size: a thousand points in about 10 ms.
_DRAW = text("""
    INSERT INTO curves (run_id, attempt, metric, step, value)
    SELECT :run_id, :attempt, * FROM unnest(
        CAST(:metrics AS text[]), CAST(:steps AS integer[]), CAST(:values AS double precision[])
    )
    ON CONFLICT (run_id, attempt, metric, step) DO UPDATE SET value = excluded.value
""")

_PRINT = text("""
    INSERT INTO log_lines (run_id, attempt, n, line)
    SELECT :run_id, :attempt, * FROM unnest(CAST(:numbers AS integer[]), CAST(:lines AS text[]))
    ON CONFLICT DO NOTHING
""")


def _draw(session: Session, key: Key, points: Sequence[Point]) -> None:
    # One statement may not write a row twice.
    values = {(point.metric, point.step): point.value for point in points}
    metrics, steps = zip(*values, strict=True)
    columns = {"metrics": list(metrics), "steps": list(steps), "values": list(values.values())}
    session.execute(_DRAW, {"run_id": key.run_id, "attempt": key.attempt, **columns})


def _print(session: Session, key: Key, lines: Sequence[Line]) -> None:
    words = [storable(line.words[:MOST_CHARACTERS]) for line in lines]
    columns = {"numbers": [line.n for line in lines], "lines": words}
    session.execute(_PRINT, {"run_id": key.run_id, "attempt": key.attempt, **columns})
