import pytest
from sqlalchemy import text
from sqlalchemy.engine import Engine

from mmix.errors import SetupError
from mmix.settings import Settings
from mmix.store import schema
from mmix.store import sessions as store

ROWS_OF_0001 = """
INSERT INTO workers (id, host, pid, slots, queues) VALUES (gen_random_uuid(), 'here', 1, 2, '{any,cpu}');
INSERT INTO groups (digest, spec, data, model, mixing, label) VALUES ('d', '{}', 'digits', 'mlp', 'erm', 'erm');
INSERT INTO experiments (id, owner, digest, tags, priority, device)
SELECT gen_random_uuid(), 'local', 'd', '{}', 0, 'any';
INSERT INTO runs (id, experiment_id, owner, digest, seed, priority, device, state, attempt, lease_until, worker_id)
SELECT gen_random_uuid(), experiments.id, 'local', 'd', 0, 0, 'any', 'running', 1, now(), workers.id
FROM experiments, workers;
INSERT INTO attempts (run_id, n, worker_id, host) SELECT runs.id, 1, worker_id, 'here' FROM runs;
"""


def test_the_migrations_make_exactly_the_tables_in_code(engine: Engine) -> None:
    assert schema.differences(engine) == []


def test_migrating_twice_changes_nothing(empty_settings: Settings) -> None:
    engine = store.engine(empty_settings)
    assert schema.migrate(engine) == schema.migrate(engine) == schema.head()
    with store.sessions(engine).begin() as session:
        assert store.revision(session) == schema.head()
    engine.dispose()


def test_runs_from_before_there_were_devices_need_one(empty_settings: Settings) -> None:
    engine = store.engine(empty_settings)
    schema.migrate(engine, to="0001")
    with engine.begin() as connection:
        connection.execute(text(ROWS_OF_0001))
    schema.migrate(engine)
    with engine.begin() as connection:
        assert connection.execute(text("SELECT state, devices FROM runs")).all() == [("running", 1)]
        assert connection.scalar(text("SELECT count(*) FROM devices")) == 0
    assert schema.differences(engine) == []
    engine.dispose()


def test_a_database_from_the_future_is_left_alone(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(SetupError, match="stands at migration 9999, newer than this mmix"):
        schema.migrate(engine)


def test_an_unreachable_database_is_told_in_one_line_without_its_password() -> None:
    engine = store.engine(Settings(database_url="postgresql://me:secret@127.0.0.1:9/none"))
    with pytest.raises(SetupError, match="can't be reached") as caught, store.reachable(engine):
        pass
    assert "secret" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_another_dialect_is_refused() -> None:
    with pytest.raises(SetupError, match="must begin with 'postgresql://'"):
        Settings(database_url="sqlite:///x.db").sqlalchemy_url()
