import pytest
from sqlalchemy import text
from sqlalchemy.engine import Engine

from mmix.errors import SetupError
from mmix.settings import Settings
from mmix.store import schema
from mmix.store import sessions as store


def test_the_migrations_make_exactly_the_tables_in_code(engine: Engine) -> None:
    assert schema.differences(engine) == []


def test_migrating_twice_changes_nothing(empty_settings: Settings) -> None:
    engine = store.engine(empty_settings)
    assert schema.migrate(engine) == schema.migrate(engine) == schema.head()
    with store.sessions(engine).begin() as session:
        assert store.revision(session) == schema.head()
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
