"""Whatever happens to runs in whatever order, the database and a small model of it agree; real PostgreSQL."""

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from mmix.errors import Conflict, Fenced
from mmix.store import endings, experiments, leases, retries, runs, waits
from mmix.store.experiments import Wish
from mmix.store.leases import Lease
from mmix.store.sessions import Sessions
from mmix.store.states import LOSSES_ALLOWED, OWNED, RETRIED, STATES, TRANSITIONS, TRIES, WAITING, State
from tests.conftest import make_spec, new_worker

FOUND = {"last": {"error": 0.25}}


@dataclass
class Known:
    """What the model knows of one run."""

    state: State
    needs: tuple[UUID, ...] = ()
    attempt: int = 0
    losses: int = 0
    failures: int = 0
    outcomes: list[str | None] = field(default_factory=list)
    retried: bool = False


class Runs(RuleBasedStateMachine):
    """Every door to a run's state, and a hand that tries to force it."""

    sessions: Sessions
    ids = Bundle("ids")
    held = Bundle("held")

    @initialize()
    def begin(self) -> None:
        self.known: dict[UUID, Known] = {}
        with self.sessions.begin() as session:
            self.worker = new_worker(session, devices=64)
            self.group = {"hidden": [8]}

    def _post(self, needs: tuple[UUID, ...]) -> UUID:
        spec = make_spec(model={"kind": "mlp", **self.group})
        with self.sessions.begin() as session:
            made = experiments.create(session, owner="local", spec=spec, wish=Wish(seeds=(0,), after=needs))
            run = experiments.get(session, owner="local", experiment_id=made).runs[0].id
        self.known[run] = Known(state="blocked" if needs else "queued", needs=needs)
        return run

    @rule(target=ids)
    def post(self) -> UUID:
        return self._post(())

    @rule(target=ids, needed=ids)
    def post_after(self, needed: UUID) -> UUID:
        return self._post((needed,) if not self.known[needed].retried else ())

    @rule(target=held, run=ids)
    def claim(self, run: UUID) -> Lease | None:
        known = self.known[run]
        with self.sessions.begin() as session:
            lease = leases.claim(
                session, run_id=run, worker_id=self.worker, host="here", queues=("any",), lease_seconds=60
            )
        assert (lease is not None) == (known.state == "queued")
        if lease is not None:
            known.state, known.attempt = "running", known.attempt + 1
            known.outcomes.append(None)
            assert lease.attempt == known.attempt
        return lease

    def _holds(self, lease: Lease, *states: State) -> bool:
        known = self.known[lease.run_id]
        return known.attempt == lease.attempt and known.state in states

    def _end(self, lease: Lease, state: State, outcome: str) -> None:
        known = self.known[lease.run_id]
        known.state, known.outcomes[-1] = state, outcome

    @rule(lease=held)
    def renew(self, lease: Lease | None) -> None:
        if lease is None:
            return
        if not self._holds(lease, *OWNED):
            with pytest.raises(Fenced), self.sessions.begin() as session:
                leases.renew(session, lease, lease_seconds=60)
            return
        with self.sessions.begin() as session:
            asked = leases.renew(session, lease, lease_seconds=60)
        assert asked == ("cancel" if self.known[lease.run_id].state == "cancelling" else None)

    def _settle(self, lease: Lease, outcome: str, call: Any, *, leave: State, state: State) -> None:
        """An ending: it counts once, repeating it changes nothing, and from a lost run it is refused."""
        known = self.known[lease.run_id]
        repeats = known.outcomes[lease.attempt - 1] == outcome and outcome != "lost"
        if self._holds(lease, leave):
            with self.sessions.begin() as session:
                call(session)
            self._end(lease, state, outcome)
        elif repeats:
            with self.sessions.begin() as session:
                call(session)
        else:
            with pytest.raises(Fenced), self.sessions.begin() as session:
                call(session)

    @rule(lease=held)
    def succeed(self, lease: Lease | None) -> None:
        if lease is not None:
            call = lambda session: endings.succeed(session, lease, found=FOUND, provenance={}, seconds=1.0)  # noqa: E731
            self._settle(lease, "succeeded", call, leave="running", state="succeeded")

    @rule(lease=held, failure_class=st.sampled_from(["bad_data", *sorted(RETRIED)]))
    def fail(self, lease: Lease | None, failure_class: str) -> None:
        if lease is None:
            return
        known = self.known[lease.run_id]
        again = failure_class in RETRIED and known.failures + 1 < TRIES
        holds = self._holds(lease, "running")
        call = lambda session: endings.fail(  # noqa: E731
            session, lease, failure_class=failure_class, message="broken", exit_code=1, error=None
        )
        self._settle(lease, "failed", call, leave="running", state="retry_wait" if again else "failed")
        known.failures += holds

    @rule(lease=held)
    def lose(self, lease: Lease | None) -> None:
        if lease is None:
            return
        known = self.known[lease.run_id]
        holds = self._holds(lease, "running")
        call = lambda session: endings.lose(session, lease, exit_code=-9, error="killed")  # noqa: E731
        state: State = "queued" if known.losses < LOSSES_ALLOWED else "failed"
        self._settle(lease, "lost", call, leave="running", state=state)
        known.losses += holds

    @rule(lease=held)
    def preempt(self, lease: Lease | None) -> None:
        if lease is not None:
            call = lambda session: endings.preempt(session, lease, exit_code=0)  # noqa: E731
            self._settle(lease, "preempted", call, leave="running", state="queued")

    @rule(lease=held)
    def end_cancelled(self, lease: Lease | None) -> None:
        if lease is not None:
            call = lambda session: endings.end_cancelled(session, lease, exit_code=0)  # noqa: E731
            self._settle(lease, "cancelled", call, leave="cancelling", state="cancelled")

    @rule(run=ids)
    def cancel(self, run: UUID) -> None:
        with self.sessions.begin() as session:
            runs.cancel(session, owner="local", run_id=run)
        known = self.known[run]
        if known.state in WAITING:
            known.state = "cancelled"
        elif known.state == "running":
            known.state = "cancelling"

    @rule(run=ids)
    def lapse(self, run: UUID) -> None:
        known = self.known[run]
        with self.sessions.begin() as session:
            late = text("UPDATE runs SET lease_until = now() - interval '1 s' WHERE id = :id AND lease_until > now()")
            session.execute(late, {"id": run})
            endings.reap(session, grace_seconds=0)
        if known.state == "cancelling":
            known.state, known.outcomes[-1] = "cancelled", "cancelled"
        elif known.state == "running":
            known.state = "queued" if known.losses < LOSSES_ALLOWED else "failed"
            known.outcomes[-1] = "lost"
            known.losses += 1

    @rule(run=ids)
    def let_pass(self, run: UUID) -> None:
        with self.sessions.begin() as session:
            session.execute(
                text("UPDATE runs SET not_before = now() WHERE id = :id AND not_before IS NOT NULL"), {"id": run}
            )
            waits.promote(session)
        self.known[run].state = "queued" if self.known[run].state == "retry_wait" else self.known[run].state
        blocked = [known for known in self.known.values() if known.state == "blocked"]
        needed = [{self.known[need].state for need in known.needs} for known in blocked]
        for known, states in zip(blocked, needed, strict=True):
            if states & {"failed", "cancelled"}:
                known.state = "failed"
            elif states == {"succeeded"}:
                known.state = "queued"

    @rule(target=ids, run=ids)
    def retry(self, run: UUID) -> UUID:
        known = self.known[run]
        if known.state not in ("failed", "cancelled") or known.retried:
            with pytest.raises(Conflict), self.sessions.begin() as session:
                retries.retry(session, owner="local", run_id=run)
            return run
        with self.sessions.begin() as session:
            made = retries.retry(session, owner="local", run_id=run)
        known.retried = True
        needs = tuple(map(self._newest, known.needs))
        self.known[made] = Known(state="blocked" if needs else "queued", needs=needs)
        self.newer = {**getattr(self, "newer", {}), run: made}
        return made

    def _newest(self, run: UUID) -> UUID:
        newer: dict[UUID, UUID] = getattr(self, "newer", {})
        return self._newest(newer[run]) if run in newer else run

    @rule(run=ids, state=st.sampled_from(STATES))
    def force(self, run: UUID, state: State) -> None:
        old = self.known[run].state
        if state == old or state in TRANSITIONS[old]:
            return
        with pytest.raises(IntegrityError), self.sessions.begin() as session:
            session.execute(text("UPDATE runs SET state = :state WHERE id = :id"), {"state": state, "id": run})

    @invariant()
    def the_database_agrees(self) -> None:
        with self.sessions.begin() as session:
            rows = session.execute(
                text(
                    "SELECT r.id, r.state, r.attempt, r.losses,"
                    " (SELECT coalesce(array_agg(outcome ORDER BY n), '{}') FROM attempts a WHERE a.run_id = r.id),"
                    " (SELECT count(*) FROM results s WHERE s.run_id = r.id),"
                    " (SELECT count(*) FROM devices d WHERE d.run_id = r.id)"
                    " FROM runs r WHERE id = ANY(:ids)"
                ),
                {"ids": list(self.known)},
            ).all()
        found = {row[0]: tuple(row[1:]) for row in rows}
        assert found == {
            run: (
                known.state,
                known.attempt,
                known.losses,
                known.outcomes,
                (len(FOUND["last"]) + 1) * int(known.state == "succeeded"),  # and the device-seconds
                int(known.state in OWNED),
            )
            for run, known in self.known.items()
        }


def test_the_database_and_the_model_agree(sessions: Sessions) -> None:
    class OnThisDatabase(Runs):
        pass

    OnThisDatabase.sessions = sessions
    run_state_machine_as_test(
        OnThisDatabase,
        settings=hypothesis_settings(
            max_examples=60, stateful_step_count=50, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
