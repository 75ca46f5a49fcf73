"""A database may stand at any migration, hold anything and be in use: the newest loses nothing and stops nobody."""

import json
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event
from typing import Any
from uuid import UUID, uuid4

import pytest
from alembic.script import ScriptDirectory
from sqlalchemy import inspect, text
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.orm import Session

from mmix.errors import SetupError
from mmix.settings import Settings
from mmix.spec.experiment import canonical, digest
from mmix.spec.facets import facets
from mmix.store import endings, experiments, leases, schema, standings
from mmix.store import sessions as store
from mmix.store.experiments import Wish
from mmix.store.leases import Lease
from mmix.store.sessions import Sessions
from tests.conftest import make_spec, new_worker

FOLDER = Path(__file__).parents[2] / "migrations"
REVISIONS = sorted(script.revision for script in ScriptDirectory(str(FOLDER)).walk_revisions())
NEWEST, BEFORE = REVISIONS[-1], REVISIONS[-2]
OLDER = "0004"  # where the mmix of before stands: what came since comes at once

GROUPS = """
INSERT INTO groups (digest, spec, data, model, mixing, label) VALUES
    ('d', '{"data": {"kind": "digits"}}', 'digits', 'mlp', 'erm', 'erm'),
    ('c', '{"data": {"kind": "cifar10"}}', 'cifar10', 'mlp', 'erm', 'erm');
INSERT INTO workers (id, host, pid, slots, queues) VALUES (:worker, 'here', 1, 2, '{any,cpu}');
INSERT INTO experiments (id, owner, digest, tags, priority, device, max_runtime_seconds) VALUES
    (:first, 'local', 'd', '{a,b}', 3, 'any', 60), (:second, 'local', 'c', '{}', 0, 'cpu', NULL);
INSERT INTO answers (owner, route, key, request_sha256, body) VALUES ('local', '/v1', 'k', 's', '{"id": 1}')
"""
# Each revision's rows are added to those of the revisions before, by a database that stands there.
ADDED = {
    "0001": """
INSERT INTO runs (id, experiment_id, owner, digest, seed, priority, device, state, attempt, losses, epoch, worker_id,
    lease_until, failure_class, failure_message, started_at, finished_at)
SELECT gen_random_uuid(), :first, 'local', 'd', seed, 3, 'any', state, attempt, 1, 2, owner::uuid,
    CASE WHEN state IN ('running', 'cancelling') THEN now() END, failure, failure, now(),
    CASE WHEN state IN ('succeeded', 'failed', 'cancelled') THEN now() END
FROM (VALUES (0, 'queued', 0, NULL, NULL), (1, 'running', 1, :worker, NULL), (2, 'cancelling', 2, :worker, NULL),
    (3, 'succeeded', 1, NULL, NULL), (4, 'failed', 1, NULL, 'diverged'), (5, 'cancelled', 0, NULL, NULL))
    AS given (seed, state, attempt, owner, failure);
INSERT INTO runs (id, experiment_id, owner, digest, seed, priority, device) VALUES
    (gen_random_uuid(), :second, 'local', 'c', 0, 0, 'cpu');
INSERT INTO attempts (run_id, n, worker_id, host, pid, first_epoch, last_epoch, ended_at, outcome, exit_code,
    provenance)
SELECT id, attempt, :worker, 'here', 7, 1, 2, CASE WHEN lease_until IS NULL THEN now() END,
    CASE WHEN lease_until IS NULL THEN state END, 0, '{"threads": 1}' FROM runs WHERE attempt > 0;
INSERT INTO curves (run_id, attempt, metric, step, value) SELECT run_id, n, 'error', 1, 0.1 FROM attempts;
INSERT INTO results (run_id, metric, selection, value) SELECT id, 'error', 'last', 0.1 FROM runs WHERE seed = 3;
INSERT INTO entries (digest, seed, run_id) SELECT digest, seed, id FROM runs WHERE seed = 3;
INSERT INTO leaderboard (digest, metric, selection, n, mean, m2) VALUES ('d', 'error', 'last', 1, 0.1, 0)
""",
    "0002": """
INSERT INTO devices (worker_id, uuid, kind) VALUES (:worker, 'cpu-0', 'cpu');
INSERT INTO devices (worker_id, uuid, kind, run_id, attempt)
SELECT :worker, 'cpu-1', 'cpu', id, attempt FROM runs WHERE state = 'running';
INSERT INTO runs (id, experiment_id, owner, digest, seed, priority, device, devices) VALUES
    (gen_random_uuid(), :first, 'local', 'd', 10, 0, 'cuda', 2)
""",
    "0003": """
INSERT INTO runs (id, experiment_id, owner, digest, seed, priority, device, state) VALUES
    (gen_random_uuid(), :second, 'local', 'c', 20, 0, 'any', 'blocked'),
    (gen_random_uuid(), :second, 'local', 'c', 21, 0, 'any', 'queued');
INSERT INTO needs (run_id, needs_run_id) SELECT a.id, b.id FROM runs a, runs b WHERE a.seed = 20 AND b.seed = 21;
UPDATE runs SET state = 'running', attempt = 1, lease_until = now() WHERE seed = 21;
INSERT INTO attempts (run_id, n, worker_id, host, devices, ended_at, outcome)
SELECT id, 1, :worker, 'here', '{cpu-0}', now(), 'preempted' FROM runs WHERE seed = 21;
UPDATE runs SET state = 'retry_wait', lease_until = NULL, not_before = now() WHERE seed = 21;
INSERT INTO runs (id, experiment_id, owner, digest, seed, priority, device, retry_of)
SELECT gen_random_uuid(), :first, 'local', 'd', seed, 0, 'any', id FROM runs WHERE seed = 4;
UPDATE workers SET draining = true
""",
    "0004": """
INSERT INTO checkpoints (run_id, attempt, epoch, place, sha256, size_bytes)
SELECT id, attempt, 1, 'there', 's', 7 FROM runs WHERE state = 'running';
INSERT INTO log_lines (run_id, attempt, n, line) SELECT id, attempt, 1, 'said' FROM runs WHERE state = 'running';
UPDATE attempts SET provenance = '{"device": "cpu"}' WHERE outcome = 'succeeded'
""",
    "0005": """
INSERT INTO cells (data, model, mixing, epochs, loss) VALUES ('svhn', 'mlp', 'erm', 7, 'bce');
INSERT INTO groups (digest, spec, data, model, mixing, label, cell_id, facets)
SELECT 's', '{}', data, model, mixing, 'erm', id, '{data=svhn,tag=a}' FROM cells WHERE epochs = 7
""",
    "0006": """
INSERT INTO comparisons (id, owner, name, metric, baseline, base, seeds, tags, fresh, allow_unlike, unlike) VALUES
    (gen_random_uuid(), 'local', 'two', 'error', 'none', '{}', '{3}', '{}', false, false, '{}');
INSERT INTO arms (comparison_id, name, position, digest, experiment_id)
SELECT id, 'none', 0, 'd', :first FROM comparisons;
INSERT INTO arm_runs (comparison_id, arm, seed, run_id, shared)
SELECT comparisons.id, 'none', 3, runs.id, true FROM comparisons, runs WHERE seed = 3
""",
    "0007": "UPDATE attempts SET trained_seconds = 2.5 WHERE outcome = 'succeeded'",
}

WHOLE = """
INSERT INTO groups (digest, spec, data, model, mixing, label) VALUES (:digest, :spec, 'digits', 'mlp', 'erm', 'erm');
INSERT INTO experiments (id, owner, digest, tags, priority, device) VALUES
    (:experiment, 'ann', :digest, '{new}', 0, 'any');
INSERT INTO runs (id, experiment_id, owner, digest, seed, priority, device) VALUES
    (:run, :experiment, 'ann', :digest, 8, 0, 'cpu');
INSERT INTO results (run_id, metric, selection, value) VALUES (:run, 'error', 'last', 0.3);
INSERT INTO entries (digest, seed, run_id) VALUES (:digest, 8, :run);
INSERT INTO leaderboard (digest, metric, selection, n, mean, m2) VALUES (:digest, 'error', 'last', 1, 0.3, 0)
"""
FILLED = """
SELECT facets, cells.data, cells.model, cells.mixing, epochs, loss FROM groups JOIN cells ON cells.id = cell_id
WHERE digest = :digest
"""

CLAIM = (
    "SELECT devices FROM runs WHERE id = :run AND state = 'queued' AND device IN ('any', 'cpu') FOR UPDATE",
    "SELECT uuid FROM devices WHERE worker_id = :worker AND run_id IS NULL "
    "AND NOT EXISTS (SELECT 1 FROM workers WHERE id = :worker AND draining) LIMIT 1 FOR UPDATE SKIP LOCKED",
    "UPDATE runs SET state = 'running', attempt = attempt + 1, worker_id = :worker, dispatched_at = NULL, "
    "lease_until = now() + interval '60 s', started_at = coalesce(started_at, now()) "
    "WHERE id = :run AND state = 'queued' RETURNING id, digest, seed, attempt",
    "INSERT INTO attempts (run_id, n, worker_id, host, devices) VALUES (:run, 1, :worker, 'here', '{cpu-0}')",
    "UPDATE devices SET run_id = :run, attempt = 1 WHERE worker_id = :worker AND uuid = 'cpu-0'",
)
RENEW = (
    "UPDATE runs SET lease_until = now() + interval '60 s' WHERE id = :run AND attempt = 1 "
    "AND state IN ('running', 'cancelling') "
    "RETURNING state, (SELECT draining FROM workers WHERE workers.id = runs.worker_id)",
)
RECORD = (
    "UPDATE runs SET epoch = 1 WHERE id = :run AND attempt = 1 AND state IN ('running', 'cancelling') RETURNING id",
    "UPDATE attempts SET pid = 7, first_epoch = 1, last_epoch = 1 WHERE run_id = :run AND n = 1",
    "INSERT INTO curves (run_id, attempt, metric, step, value) VALUES (:run, 1, 'error', 1, 0.5)",
)
SUCCEED = (
    "UPDATE runs SET state = 'succeeded', lease_until = NULL, worker_id = NULL, finished_at = now() "
    "WHERE id = :run AND attempt = 1 AND state = 'running' RETURNING id",
    "UPDATE attempts SET outcome = 'succeeded', ended_at = now(), exit_code = 0 WHERE run_id = :run AND n = 1",
    "UPDATE devices SET run_id = NULL, attempt = NULL WHERE run_id = :run AND attempt = 1",
    "INSERT INTO results (run_id, metric, selection, value) VALUES (:run, 'error', 'last', 0.5)",
)
SUBMIT = (
    "INSERT INTO runs (id, experiment_id, owner, digest, seed, priority, device, devices, state) "
    "VALUES (:run, :first, 'local', 'd', :seed, 0, 'any', 1, 'queued')",
)
BEAT = (
    "INSERT INTO workers (id, host, pid, slots, queues) VALUES (:worker, 'here', 1, 1, '{any,cpu}') "
    "ON CONFLICT (id) DO UPDATE SET last_seen = now()",
    "INSERT INTO devices (worker_id, uuid, kind) VALUES (:worker, 'cpu-0', 'cpu') "
    "ON CONFLICT (worker_id, uuid) DO UPDATE SET kind = excluded.kind",
)
LOOK = (
    "SELECT runs.state, attempts.outcome FROM attempts JOIN runs ON runs.id = run_id WHERE runs.id = :run",
    "SELECT id, draining FROM workers",
)
LIFE = (BEAT, SUBMIT, CLAIM, LOOK, RENEW, RECORD, RENEW, SUCCEED, LOOK)
"""A run's whole way, a transaction each, as the mmix of the revision before the newest asks for it."""


@pytest.fixture
def engine(empty_settings: Settings) -> Iterator[Engine]:
    """An engine on a database that was never migrated."""
    made = store.engine(empty_settings, pool_size=8)
    yield made
    made.dispose()


def _names() -> dict[str, UUID]:
    return {"worker": uuid4(), "first": uuid4(), "second": uuid4()}


def _execute(connection: Connection, script: str, names: dict[str, Any]) -> None:
    for statement in script.strip().split(";\n"):
        connection.execute(text(statement), names)


def _lived(engine: Engine, revision: str) -> None:
    """Brings a new database to a revision, with rows from each one on the way."""
    names = _names()
    for each in REVISIONS[: REVISIONS.index(revision) + 1]:
        schema.migrate(engine, to=each)
        with engine.begin() as connection:
            if each == REVISIONS[0]:
                _execute(connection, GROUPS, names)
            _execute(connection, ADDED[each], names)


def _columns(engine: Engine) -> dict[str, list[str]]:
    found = inspect(engine)
    return {
        table: sorted(column["name"] for column in found.get_columns(table))
        for table in found.get_table_names()
        if table != "alembic_version"
    }


def _contents(engine: Engine, columns: dict[str, list[str]]) -> dict[str, list[tuple[Any, ...]]]:
    """All rows of these columns of these tables."""
    with engine.connect() as connection:
        return {
            table: sorted(map(tuple, connection.execute(text(f"SELECT {', '.join(names)} FROM {table}"))), key=repr)
            for table, names in columns.items()
        }


def _claimed(sessions: Sessions, run_id: UUID) -> Lease:
    with sessions.begin() as session:
        worker_id = new_worker(session)
        lease = leases.claim(
            session, run_id=run_id, worker_id=worker_id, host="here", queues=("any", "cpu"), lease_seconds=60
        )
    assert lease is not None
    return lease


def _works(engine: Engine) -> None:
    """What waits can be claimed and finished, what lapsed is taken back."""
    sessions = store.sessions(engine)
    with sessions.begin() as session:
        queued = session.scalars(text("SELECT id FROM runs WHERE state = 'queued' AND device = 'any'")).all()
        lapsed = session.scalar(text("SELECT count(*) FROM runs WHERE lease_until IS NOT NULL"))
        assert endings.reap(session, grace_seconds=0) == lapsed
    for run_id in queued:
        lease = _claimed(sessions, run_id)
        with sessions.begin() as session:
            endings.succeed(session, lease, found={"last": {"error": 0.3}}, provenance={}, seconds=1.0)


@pytest.mark.parametrize("revision", REVISIONS[:-1])
def test_from_every_revision_the_newest_is_reached_with_all_rows_as_they_were(engine: Engine, revision: str) -> None:
    _lived(engine, revision)
    columns = _columns(engine)
    before = _contents(engine, columns)
    assert [table for table, rows in before.items() if not rows] == []
    schema.migrate(engine)
    assert _contents(engine, columns) == before
    assert schema.differences(engine) == []
    _works(engine)


def test_only_runs_that_wait_for_data_that_somebody_has_to_bring_ask_for_them(engine: Engine) -> None:
    _lived(engine, "0003")
    schema.migrate(engine)
    with engine.begin() as connection:
        found = connection.execute(text("SELECT digest, state, data FROM runs WHERE data <> '{}' ORDER BY state")).all()
    assert found == [("c", state, ["cifar10"]) for state in ("blocked", "queued", "retry_wait")]


def test_the_newest_can_be_taken_back_and_made_again(engine: Engine) -> None:
    schema.migrate(engine, to=BEFORE)
    columns = _columns(engine)
    schema.migrate(engine)
    sessions = store.sessions(engine)
    with sessions.begin() as session:
        made = experiments.create(session, owner="local", spec=make_spec(), wish=Wish(seeds=(0, 1)))
        first, _ = experiments.get(session, owner="local", experiment_id=made).runs
    lease = _claimed(sessions, first.id)
    with sessions.begin() as session:
        endings.succeed(session, lease, found={"last": {"error": 0.3}}, provenance={}, seconds=1.0)
    before = _contents(engine, columns)
    assert schema.step_back(engine) == BEFORE
    assert (_columns(engine), _contents(engine, columns)) == (columns, before)
    assert schema.migrate(engine) == NEWEST
    assert _contents(engine, columns) == before
    assert schema.differences(engine) == []
    _works(engine)


def _live(engine: Engine, number: int, experiment: UUID, stopped: Event) -> tuple[int, float]:
    """Runs that live one after the other until it is stopped: how many did, and the longest transaction's seconds."""
    worker, count, longest = uuid4(), 0, 0.0
    while not stopped.is_set():
        names = {"run": uuid4(), "worker": worker, "first": experiment, "seed": 1_000_000 * number + count}
        for statements in LIFE:
            began = time.monotonic()
            with engine.begin() as connection:
                for statement in statements:
                    assert connection.execute(text(statement), names).rowcount > 0, statement
            longest = max(longest, time.monotonic() - began)
        count += 1
    return count, longest


def _held(engine: Engine, stopped: Event) -> None:
    """Reads for three seconds in one transaction, as a backup does."""
    with engine.begin() as connection:
        connection.execute(text("SELECT count(*) FROM attempts, runs, groups"))
        stopped.wait(3)


def _left_alone(_: Engine, __: Event) -> None:
    """Does nothing beside."""


@pytest.mark.parametrize("beside", [_left_alone, _held])
def test_the_mmix_of_before_goes_on_while_its_database_is_migrated(
    engine: Engine, beside: Callable[[Engine, Event], None]
) -> None:
    _lived(engine, OLDER)
    with engine.begin() as connection:
        experiment = connection.scalar(text("SELECT id FROM experiments WHERE digest = 'd'"))
        others = connection.scalar(text("SELECT count(*) FROM runs WHERE state = 'succeeded'"))
    assert isinstance(experiment, UUID)
    stopped = Event()
    with ThreadPoolExecutor(5) as pool:
        lives = [pool.submit(_live, engine, number, experiment, stopped) for number in range(1, 5)]
        pool.submit(beside, engine, stopped)
        time.sleep(0.3)
        schema.migrate(engine)
        time.sleep(0.3)
        stopped.set()
        told = [life.result() for life in lives]
    assert max(longest for _, longest in told) < 2
    assert min(count for count, _ in told) > 0
    with engine.begin() as connection:
        query = (
            "SELECT count(*) FROM runs JOIN attempts ON run_id = runs.id WHERE state = outcome AND state = 'succeeded'"
        )
        assert connection.scalar(text(query)) == sum(count for count, _ in told) + others
        assert connection.scalar(text("SELECT count(*) FROM devices WHERE run_id IS NOT NULL AND uuid = 'cpu-0'")) == 0
    assert schema.differences(engine) == []


def test_a_database_that_somebody_holds_for_long_is_not_migrated_and_says_why(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    schema.migrate(engine, to=OLDER)
    monkeypatch.setattr(schema, "_PATIENCE_SECONDS", 0.1)
    with engine.begin() as connection:
        connection.execute(text("SELECT count(*) FROM runs, groups"))
        with pytest.raises(SetupError, match="somebody holds its tables, for instance a backup"):
            schema.migrate(engine)
    assert schema.migrate(engine) == NEWEST


def test_what_leaderboards_filter_by_and_show_is_filled_in_from_what_is_stored(engine: Engine) -> None:
    _lived(engine, "0004")
    with engine.begin() as connection:
        spec, name = canonical(make_spec()), digest(make_spec())
        _execute(connection, WHOLE, {"digest": name, "spec": json.dumps(spec), "experiment": uuid4(), "run": uuid4()})
    schema.migrate(engine)
    with engine.begin() as connection:
        words, *cell = connection.execute(text(FILLED), {"digest": name}).one()
        device = connection.scalar(text("SELECT device FROM entries WHERE seed = 3"))
        known = connection.scalar(text("SELECT facets FROM groups WHERE digest = 'd'"))
        assert standings.settle_all(Session(connection), first="", last="g") == []
    assert set(words) == {*facets(make_spec()), "tag=new", "owner=ann"}
    assert (cell, device) == (["digits", "mlp", "erm", 2, "ce"], "cpu")
    assert {"data=digits", "model.kind=mlp", "mixing.kind=erm", "tag=a", "tag=b", "device=cpu"} <= set(known)
