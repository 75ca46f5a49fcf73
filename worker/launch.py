"""Supervises one attempt: starts the trainer, renews the lease, stores what it reports, ends it, settles the row.

The lease is renewed in PostgreSQL; the supervisor keeps a deadline on its own monotonic clock, short of the lease's
end, and tells it to the trainer. Past it both stop: nobody trains a run that may be somebody else's.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import structlog
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from mmix.errors import Fenced
from mmix.settings import Settings
from mmix.store import endings, leases
from mmix.store.leases import Lease, StopReason
from mmix.store.sessions import Sessions, is_outage
from worker import storage, wire
from worker.journal import Journal
from worker.news import News
from worker.place import Workplace
from worker.trainer import LOG, Trainer

_TICK_SECONDS = 0.25
_FLUSH_SECONDS = 1.0
_STORE_SECONDS = 0.25  # of each second at most: the lease is renewed between
_RETRY_SECONDS = 0.5
_MARGIN = 1 / 6  # of the lease: 10 s of 60 s between the trainer's end and the lapse
_STOP_SECONDS = 30.0  # from the polite request to SIGKILL

_log = structlog.get_logger("worker")


@dataclass(frozen=True)
class Terms:
    """How long a lease lasts and how often it is renewed, in seconds."""

    lease_seconds: float
    renewal_seconds: float
    grace_seconds: float

    @classmethod
    def of(cls, settings: Settings) -> "Terms":
        """The terms that the settings name."""
        return cls(settings.lease_seconds, settings.renewal_seconds, settings.grace_seconds)

    def deadline(self, asked_at: float) -> float:
        """When to stop, on the monotonic clock, where the lease was asked for at `asked_at`."""
        return asked_at + self.lease_seconds * (1 - _MARGIN)


class Supervision:
    """One attempt, from its claim to its end."""

    def __init__(
        self, lease: Lease, *, claimed_at: float, sessions: Sessions, terms: Terms, workplace: Workplace, news: News
    ) -> None:
        self._lease = lease
        self._sessions = sessions
        self._terms = terms
        self._workplace = workplace
        self._news = news
        self._own_names = {str(lease.run_id), str(workplace.worker_id)}
        self._began_at = claimed_at
        self._deadline = terms.deadline(claimed_at)
        self._renew_at = claimed_at + terms.renewal_seconds
        self._flush_at = claimed_at
        self._wish: StopReason | None = None
        self._stop_asked_at: float | None = None
        self._journal = Journal(lease, log=self._folder(lease.attempt) / LOG)
        self._end: wire.Finished | wire.Failed | wire.Stopped | None = None

    def conduct(self, *, environment: dict[str, str]) -> None:
        """Runs the attempt to its end; returns early where the run is no longer this attempt's."""
        folder = self._folder(self._lease.attempt)
        try:
            with Trainer(
                folder=folder,
                devices=len(self._lease.devices),
                threads=self._workplace.threads,
                environment=environment,
            ) as trainer:
                self._attend(trainer)
                trainer.kill()
                self._settle(trainer)
            storage.unstage(folder)
            storage.tidy(self._sessions, self._lease.run_id, artifacts=self._workplace.artifacts)
        except Fenced as fenced:
            _log.warning("fenced", reason=str(fenced))

    def _attend(self, trainer: Trainer) -> None:
        """Listens and renews until the trainer is heard out or must go."""
        while not trainer.heard_out:
            if trainer.stirs(_TICK_SECONDS, beside=self._news.filenos()):
                self._listen(trainer)
            now = time.monotonic()
            if now >= self._renew_at or self._news.heard() & self._own_names:
                self._renew(trainer)
            if now >= self._flush_at:
                self._flush()
            if self._overdue() or self._needless(trainer) or self._forsaken():
                return

    def _listen(self, trainer: Trainer) -> None:
        if not trainer.connected:
            trainer.accept()
            trainer.tell(self._order())
            return
        for event in trainer.events():
            match event:
                case wire.Started() | wire.Trained() | wire.Saved():
                    self._journal.add(event)
                case wire.Finished() | wire.Failed() | wire.Stopped():
                    self._end = event

    def _order(self) -> wire.Begin:
        lease = self._lease
        return wire.Begin(
            spec=lease.spec,
            seed=lease.seed,
            device=self._workplace.device(lease.device),
            threads=self._workplace.threads,
            data=str(self._workplace.data),
            checkpoints=f"{self._shared(lease.attempt)}/checkpoints",
            artifacts=f"{self._shared(lease.attempt)}/artifacts",
            scratch=str(self._folder(lease.attempt)),
            resume={each.place: each.sha256 for each in lease.resume},
            deadline=self._deadline,
        )

    def _folder(self, attempt: int) -> Path:
        return self._workplace.scratch / "runs" / str(self._lease.run_id) / str(attempt)

    def _shared(self, attempt: int) -> str:
        return f"{self._workplace.artifacts}/runs/{self._lease.run_id}/{attempt}"

    def _renew(self, trainer: Trainer) -> None:
        asked_at = time.monotonic()
        try:
            with self._sessions.begin() as session:
                wish = leases.renew(session, self._lease, lease_seconds=self._terms.lease_seconds)
        except DBAPIError as error:
            self._bear(error)
            self._renew_at = asked_at + _RETRY_SECONDS
            return
        self._deadline = self._terms.deadline(asked_at)
        self._renew_at = asked_at + self._terms.renewal_seconds
        trainer.tell(wire.Deadline(self._deadline))
        self._wish = wish or self._wish
        if wish is not None and self._stop_asked_at is None:
            self._stop_asked_at = asked_at
            trainer.tell(wire.Stop())

    def _flush(self) -> bool:
        """Stores what was reported and printed since; says whether nothing is left to store."""
        self._flush_at = time.monotonic() + _FLUSH_SECONDS
        try:
            self._journal.flush(self._sessions, seconds=_STORE_SECONDS)
        except DBAPIError as error:
            self._bear(error)
            return False
        return self._journal.empty

    def _bear(self, error: DBAPIError) -> None:
        """Goes on through an outage of the database; anything else is a mistake of ours."""
        if not is_outage(error):
            raise error
        _log.warning("the database can't be reached", run=str(self._lease.run_id), reason=str(error.orig))

    def _overdue(self) -> bool:
        now = time.monotonic()
        stopping = self._stop_asked_at is not None and now > self._stop_asked_at + _STOP_SECONDS
        return now > self._deadline or stopping or self._past_max_runtime(now)

    def _needless(self, trainer: Trainer) -> bool:
        """Whether it is to stop before it has called: it hears nothing, and has nothing yet that is worth a wait."""
        return self._stop_asked_at is not None and not trainer.connected

    def _forsaken(self) -> bool:
        """Whether rank 0 has said its last: the other ranks may wait for it, and nobody for them."""
        return len(self._lease.devices) > 1 and self._end is not None

    def _past_max_runtime(self, now: float) -> bool:
        limit = self._lease.max_runtime_seconds
        return limit is not None and now > self._began_at + limit

    def _settle(self, trainer: Trainer) -> None:
        """Writes the attempt's end, through outages of the database: fencing makes a late try harmless."""
        give_up_at = time.monotonic() + self._terms.lease_seconds + self._terms.grace_seconds
        settle = self._verdict(trainer)
        self._journal.close()
        while time.monotonic() < give_up_at:
            try:
                if self._flush():
                    with self._sessions.begin() as session:
                        self._write(session, settle, trainer.exit_code)
                    return
            except DBAPIError as error:
                self._bear(error)
            time.sleep(_RETRY_SECONDS)

    def _write(self, session: Session, settle: Callable[[Session], None], code: int | None) -> None:
        try:
            settle(session)
        except Fenced:  # perhaps as it was cancelled in its last moments
            endings.end_cancelled(session, self._lease, exit_code=code)

    def _verdict(self, trainer: Trainer) -> Callable[[Session], None]:
        """How this attempt ended, as the one store call that says so."""
        lease, end, code = self._lease, self._end or trainer.word(), trainer.exit_code
        if self._wish == "cancel":
            return lambda session: endings.end_cancelled(session, lease, exit_code=code)
        if isinstance(end, wire.Finished):
            return lambda session: endings.succeed(
                session, lease, found=end.results, provenance=end.provenance, seconds=end.seconds
            )
        if isinstance(end, wire.Failed):
            return self._failed(end, code)
        if self._wish == "give back":
            return lambda session: endings.preempt(session, lease, exit_code=code)
        if self._past_max_runtime(time.monotonic()):
            message = f"The run took longer than its max_runtime_seconds, {lease.max_runtime_seconds}"
            return self._failed(wire.Failed("timeout", message, message), code)
        words = trainer.last_words()
        # An agent's exit code doesn't tell a rank that was killed from one that crashed.
        if code is None or code < 0 or code == wire.WATCHDOG_EXIT or len(lease.devices) > 1:
            reason = f"The trainer ended with {_named(code)}; its last words: {words or 'none'}"
            return lambda session: endings.lose(session, lease, exit_code=code, error=reason)
        message = f"The trainer ended with {_named(code)}: {words.splitlines()[-1] if words else 'it said nothing'}"
        return self._failed(wire.Failed("crashed", message, words), code)

    def _failed(self, end: wire.Failed, code: int | None) -> Callable[[Session], None]:
        return lambda session: endings.fail(
            session,
            self._lease,
            failure_class=end.failure_class,
            message=end.message,
            exit_code=code,
            error=end.error,
        )


def _named(code: int | None) -> str:
    return f"signal {-code}" if code is not None and code < 0 else f"exit code {code}"
