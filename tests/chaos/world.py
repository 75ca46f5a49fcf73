"""A whole service of real processes with leases of three seconds, which faults may harm: nothing else is touched."""

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

import psutil
from celery import Celery
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from mmix import broker, embedded
from mmix.cli.household import Household, opened
from mmix.client import TERMINAL, Client, Json
from mmix.errors import ServiceError
from mmix.settings import Settings
from mmix.spec.experiment import ExperimentSpec
from mmix.store import sessions as store
from mmix.store.sessions import Sessions
from tests.chaos import reference
from tests.chaos.ledger import Expected, Ledger, held
from tests.chaos.reference import Same
from tests.chaos.sabotage import Sabotage, switched_off, unguard
from tests.conftest import temporary_home

LEASE_SECONDS, RENEWAL_SECONDS = 3.0, 0.5
PATIENCE_SECONDS = 90.0
UNREAPED_PATIENCE_SECONDS = 8.0  # two leases, and some: what is to be shown is that nothing happens
_LOOK_SECONDS = 0.05
_ENDS = 4  # times the patience: some runs may still be queued when the last of them was hit

# Settings that a fault may set for itself: more slots for many small runs, fake GPUs for ranks.
Changes = dict[str, Any]


class Broken(Exception):
    """A promise wasn't kept."""


class TooSlow(Broken):
    """What had to happen didn't happen in time."""


class Missed(Exception):
    """What was to be hit ended by itself just before."""


@dataclass
class World:
    """The processes, their database, and what was accepted from us so far.

    patience_seconds: how long what was hit may take to work again.
    """

    settings: Settings
    house: Household
    client: Client
    rows: Sessions
    servers: ExitStack
    broker: Celery
    ledger: Ledger = field(default_factory=Ledger)
    patience_seconds: float = PATIENCE_SECONDS
    undisturbed: dict[tuple[ExperimentSpec, int], Same] = field(default_factory=dict)

    def submit(
        self,
        spec: ExperimentSpec,
        *,
        seeds: Sequence[int],
        ends: tuple[str, ...] = ("succeeded",),
        exact: bool = False,
        attempts: int | None = None,
    ) -> list[str]:
        """The ids of new runs, which have to end in one of these states, after so many attempts at most.

        exact: with the very weights and results of a run that nothing disturbs.

        Raises: TooSlow where the service doesn't accept them.
        """
        # Before they are posted: it takes seconds in which they would go on.
        same = {seed: self._reference(spec, seed) for seed in seeds if exact}
        key = f"chaos-{uuid4()}"  # whatever happens to the API meanwhile, they are accepted once
        made = self.until(lambda: self._posted(spec, seeds, key), what="the answer to a POST")
        for run in made["runs"]:
            self.ledger.accept(run["id"], Expected(ends, same.get(run["seed"]), attempts))
        return [run["id"] for run in made["runs"]]

    def _posted(self, spec: ExperimentSpec, seeds: Sequence[int], key: str) -> Json | None:
        try:
            return self.client.submit(spec, seeds=seeds, key=key)
        except ServiceError:
            return None

    def _reference(self, spec: ExperimentSpec, seed: int) -> Same:
        """What an undisturbed run comes to; one on several devices needs the ranks that only a worker starts."""
        if spec.training.devices == 1:
            return reference.of(spec, seed)
        if (spec, seed) not in self.undisturbed:
            (run,) = self.submit(spec, seeds=[seed])
            self.until(lambda: self.state(run) in TERMINAL, what=f"the end of run {run}")
            self.undisturbed[spec, seed] = held(self.ask, run)
        return self.undisturbed[spec, seed]

    def until(self, holds: Callable[[], Any], *, what: str, seconds: float = PATIENCE_SECONDS) -> Any:
        """What `holds` answers once it is true; meanwhile what died is started again, as `mmix up` does.

        Raises: TooSlow
        """
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self.house.tend()
            found = holds()
            if found:
                return found
            time.sleep(_LOOK_SECONDS)
        raise TooSlow(f"{what} did not happen within {seconds} s")

    def ask(self, query: str, **values: Any) -> list[Any]:
        """Rows of the database, once it can be reached.

        Raises: DBAPIError where that takes too long.
        """
        give_up_at = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                with self.rows.begin() as session:
                    return list(session.execute(text(query), values))
            except DBAPIError as error:
                if not store.is_outage(error) or time.monotonic() > give_up_at:
                    raise
            time.sleep(_LOOK_SECONDS)

    def attempt(self, run_id: str) -> int:
        """The attempt that holds the run now and whose trainer has started; 0 where there is none."""
        query = (
            "SELECT runs.attempt FROM runs JOIN attempts ON run_id = runs.id AND n = runs.attempt "
            "WHERE runs.id = :id AND runs.state = 'running' AND attempts.pid IS NOT NULL"
        )
        found = self.ask(query, id=UUID(run_id))
        return int(found[0].attempt) if found else 0

    def state(self, run_id: str) -> str:
        """The run's state."""
        return str(self.ask("SELECT state FROM runs WHERE id = :id", id=UUID(run_id))[0].state)

    def trained(self, spec: ExperimentSpec, *, seed: int, attempts: int | None = None) -> tuple[str, int]:
        """A new run that has to end as if nothing had disturbed it, and the attempt that is amid its epochs.

        attempts: how many it may take.

        Raises: TooSlow, or Missed where it ended before that was seen.
        """
        (run,) = self.submit(spec, seeds=[seed], exact=True, attempts=attempts)
        attempt = self.in_mid_run(run)
        if not attempt:
            raise Missed(f"run {run} ended before it was hit")
        return run, attempt

    def in_mid_run(self, run_id: str) -> int:
        """The attempt that trains the run, once it has done an epoch of its own; 0 where the run ended before.

        Raises: TooSlow
        """
        query = (
            "SELECT n FROM attempts JOIN runs ON runs.id = run_id AND n = attempt "
            "WHERE run_id = :id AND state = 'running' AND last_epoch >= first_epoch"
        )

        def training() -> list[Any]:
            rows = self.ask(query, id=UUID(run_id))
            return rows or ([None] if self.state(run_id) in TERMINAL else [])

        (row,) = self.until(training, what=f"an epoch of run {run_id}")
        return 0 if row is None else int(row.n)

    def recovered(self, run_id: str, *, after: int) -> None:
        """Waits until a later attempt than `after` trains the run, or the run has ended.

        Raises: TooSlow
        """
        self.until(
            lambda: self.attempt(run_id) > after or self.state(run_id) in TERMINAL,
            what=f"another attempt at run {run_id}",
            seconds=self.patience_seconds,
        )

    def settle(self) -> None:
        """Waits until every run has ended; those that don't within the time are left to the ledger to tell of."""
        with contextlib.suppress(TooSlow):
            self.until(self._settled, what="the end of all runs", seconds=_ENDS * self.patience_seconds)

    def heal(self) -> None:
        """Waits until everything works again, for the next fault.

        Raises: TooSlow
        """
        self.until(lambda: self.house.whole() and self.client.ready(), what="a whole household")
        self.ledger = self.ledger.turned()

    def _settled(self) -> bool:
        query = "SELECT count(*) AS n FROM runs WHERE state NOT IN ('succeeded', 'failed', 'cancelled')"
        return int(self.ask(query)[0].n) == 0

    def trainer(self, run_id: str) -> psutil.Process:
        """The process that leads the current attempt at a run: its trainer, or the agent of its ranks.

        Raises: Missed where it just ended.
        """
        folder = self.settings.scratch_folder / "runs" / run_id / str(self.attempt(run_id))
        try:
            return psutil.Process(int((folder / "pid").read_text().split()[0]))
        except (psutil.NoSuchProcess, FileNotFoundError):
            raise Missed(f"the trainer of run {run_id} ended before it was hit") from None

    def worker_of(self, run_id: str) -> psutil.Process:
        """The worker that holds a run.

        Raises: Missed where none does any more.
        """
        rows = self.ask(
            "SELECT pid FROM workers JOIN runs ON worker_id = workers.id WHERE runs.id = :id", id=UUID(run_id)
        )
        try:
            return psutil.Process(next(row.pid for row in rows))
        except (psutil.NoSuchProcess, StopIteration):
            raise Missed(f"run {run_id} ended before it was hit") from None

    def supervisor_of(self, run_id: str) -> psutil.Process:
        """The pool process that supervises a run; its worker has one slot.

        Raises: Missed where none does any more.
        """
        children = self.worker_of(run_id).children()
        pool = [child for child in children if "spawn_main" in " ".join(child.cmdline())]
        if len(pool) != 1:
            raise Missed(f"the worker of run {run_id} has {len(pool)} pool processes")
        return pool[0]

    def workers(self) -> list[psutil.Process]:
        """The workers that live."""
        return [self._process(pid) for name, pid in self.house.pids().items() if name.startswith("worker")]

    def dispatchers(self) -> list[psutil.Process]:
        """The dispatchers that live, the eldest first."""
        found = [self._process(pid) for name, pid in self.house.pids().items() if name.startswith("dispatcher")]
        return sorted(found, key=lambda process: process.create_time())

    def _process(self, pid: int) -> psutil.Process:
        try:
            return psutil.Process(pid)
        except psutil.NoSuchProcess:
            raise Missed(f"process {pid} ended before it was hit") from None


@contextmanager
def world(
    changes: Changes | None = None, *, dispatchers: int = 2, workers: int = 2, sabotage: Sabotage | None = None
) -> Iterator[World]:
    """A service of our own, up and ready; gone at the end with all that it started.

    sabotage: the protection that its processes go without.
    """
    with ExitStack() as servers:
        home = servers.enter_context(temporary_home())
        settings = Settings(
            home=home,
            database_url=servers.enter_context(embedded.postgresql(home / "postgresql")),
            redis_url=servers.enter_context(embedded.redis_server(home / "redis")),
            lease_seconds=LEASE_SECONDS,
            renewal_seconds=RENEWAL_SECONDS,
            grace_seconds=LEASE_SECONDS,
            hint_seconds=3,
            slots=1,
            threads=1,
        ).model_copy(update=changes or {})
        with switched_off(sabotage):
            house = servers.enter_context(opened(settings, port=0, dispatchers=dispatchers, workers=workers))
        engine = store.engine(settings)
        servers.callback(engine.dispose)
        unguard(engine, sabotage)
        client = servers.enter_context(Client(house.url))
        made = World(settings, house, client, store.sessions(engine), servers, broker.application(settings))
        if sabotage == "reaper":
            made.patience_seconds = UNREAPED_PATIENCE_SECONDS
        made.until(lambda: len(client.workers()["items"]) == workers, what="all workers")
        yield made
