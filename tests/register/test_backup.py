"""A backup holds everything: what is restored has the same rows, and goes on as if nothing had been."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import inspect, text
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import DBAPIError

from mmix import embedded
from mmix.settings import Settings
from mmix.spec.comparison import ComparisonSpec
from mmix.spec.experiment import canonical
from mmix.store import comparisons, endings, experiments, leases, retries, schema
from mmix.store import sessions as store
from mmix.store.experiments import Wish
from mmix.store.leases import Lease
from mmix.store.sessions import Sessions
from tests.conftest import at, database, make_spec, new_worker, temporary_home

MMIX = str(Path(sys.executable).parent / "mmix")
PROGRESS = """
INSERT INTO curves (run_id, attempt, metric, step, value) VALUES (:id, 1, 'error', 1, 0.1 + 0.2);
INSERT INTO checkpoints (run_id, attempt, epoch, place, sha256, size_bytes) VALUES (:id, 1, 1, 's3', 'a', 5000000000);
INSERT INTO log_lines (run_id, attempt, n, line) VALUES (:id, 1, 1, 'a "line", with ''quotes'', a \\ and ä');
"""

COMPARISON = ComparisonSpec.model_validate(
    {"name": "a", "base": canonical(make_spec()), "arms": [{"name": "erm"}], "seeds": [0], "baseline": "erm"}
)
"""Of one finished run: none is queued for it."""


@pytest.fixture
def restored(servers: Settings) -> Iterator[Settings]:
    """Settings with another database, which is empty, and a home that holds nothing."""
    with temporary_home() as home, database(servers, template=None) as name:
        yield at(servers, name).model_copy(update={"home": home})


def _mmix(settings: Settings, *arguments: object) -> subprocess.CompletedProcess[str]:
    values = {"MMIX_HOME": str(settings.home), "MMIX_DATABASE_URL": settings.database_url or ""}
    command = [MMIX, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, env={**os.environ, **values}, timeout=90)


def _claimed(sessions: Sessions, run_id: UUID) -> Lease:
    with sessions.begin() as session:
        worker_id = new_worker(session)
        lease = leases.claim(
            session, run_id=run_id, worker_id=worker_id, host="here", queues=("any", "cpu"), lease_seconds=60
        )
    assert lease is not None
    return lease


def _filled(sessions: Sessions) -> dict[str, UUID]:
    """A row of everything: a run of each fate, by its state."""
    with sessions.begin() as session:
        made = experiments.create(session, owner="local", spec=make_spec(), wish=Wish(seeds=(0, 1, 2, 3)))
        runs = [run.id for run in experiments.get(session, owner="local", experiment_id=made).runs]
        experiments.create(session, owner="local", spec=make_spec(), wish=Wish(seeds=(4,), after=(made,)))
        session.execute(text("INSERT INTO answers VALUES ('local', '/v1/experiments', 'key', 'sha', '{\"a\": 1}')"))
    succeeded, failed, running, queued = runs
    lease = _claimed(sessions, succeeded)
    with sessions.begin() as session:
        for statement in PROGRESS.strip().splitlines():
            session.execute(text(statement), {"id": succeeded})
        endings.succeed(session, lease, found={"last": {"error": 0.25}}, provenance={"threads": 1}, seconds=1.0)
        comparisons.create(session, owner="local", asked=COMPARISON, wish=Wish(seeds=COMPARISON.seeds))
    lease = _claimed(sessions, failed)
    with sessions.begin() as session:
        endings.fail(session, lease, failure_class="diverged", message="inf", exit_code=1, error="Traceback")
        retries.retry(session, owner="local", run_id=failed)
    _claimed(sessions, running)
    return {"succeeded": succeeded, "failed": failed, "running": running, "queued": queued}


def _contents(engine: Engine) -> dict[str, tuple[int, str]]:
    """Of each table the number of its rows, and a checksum over all of them."""
    with engine.connect() as connection:
        return {table: _content(connection, table) for table in inspect(engine).get_table_names()}


def _content(connection: Connection, table: str) -> tuple[int, str]:
    query = f"SELECT count(*), md5(string_agg(t::text, E'\\n' ORDER BY t::text)) FROM {table} t"
    count, checksum = connection.execute(text(query)).one()
    return count, checksum


def test_what_is_restored_has_the_same_rows_and_goes_on(
    settings: Settings, restored: Settings, sessions: Sessions, engine: Engine, tmp_path: Path
) -> None:
    runs = _filled(sessions)
    told = _mmix(settings, "backup", tmp_path / "mmix.dump")
    assert f"Now copy {settings.artifacts_place} too" in told.stdout, told.stderr
    done = _mmix(restored, "restore", tmp_path / "mmix.dump")
    assert f"stands at migration {schema.head()}" in done.stdout, done.stderr

    copy = store.engine(restored)
    before, after = _contents(engine), _contents(copy)
    assert after == before
    assert [table for table, (count, _) in before.items() if count == 0] == []
    assert schema.differences(copy) == []

    again = store.sessions(copy)
    lease = _claimed(again, runs["queued"])
    with again.begin() as session:
        endings.succeed(session, lease, found={"last": {"error": 0.75}}, provenance={}, seconds=1.0)
        query = "SELECT n, mean FROM leaderboard WHERE metric = 'error' AND selection = 'last'"
        assert session.execute(text(query)).one() == (2, 0.5)
        newest = session.execute(text("SELECT object_id, after ->> 'state' FROM audit ORDER BY id DESC LIMIT 1")).one()
        assert newest == (runs["queued"], "succeeded")
    with pytest.raises(DBAPIError, match="succeeded"), again.begin() as session:
        session.execute(
            text("UPDATE runs SET state = 'queued', finished_at = NULL WHERE id = :id"), {"id": runs["succeeded"]}
        )
    copy.dispose()
    assert _contents(engine) == before


def test_nothing_is_overwritten(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "mmix.dump").write_text("of yesterday")
    assert "exists: choose another name" in _mmix(settings, "backup", tmp_path / "mmix.dump").stderr
    assert "is not empty" in _mmix(settings, "restore", tmp_path / "mmix.dump").stderr
    assert (tmp_path / "mmix.dump").read_text() == "of yesterday"


def test_a_file_that_is_no_backup_restores_nothing(restored: Settings, tmp_path: Path) -> None:
    (tmp_path / "mmix.dump").write_text("of yesterday")
    found = _mmix(restored, "restore", tmp_path / "mmix.dump")
    assert found.returncode == 1
    assert "pg_restore ended with exit code 1" in found.stderr
    engine = store.engine(restored)
    assert schema.is_empty(engine)
    engine.dispose()


def test_an_embedded_service_is_backed_up_while_it_runs(tmp_path: Path) -> None:
    with temporary_home() as home, embedded.database(Settings(home=home)) as served:
        engine = store.engine(served)
        schema.migrate(engine)
        engine.dispose()
        found = _mmix(Settings(home=home), "backup", tmp_path / "mmix.dump")
    assert found.returncode == 0, found.stderr
    assert (tmp_path / "mmix.dump").stat().st_size > 10_000
