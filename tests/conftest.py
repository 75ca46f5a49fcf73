"""Real servers for all tests: an embedded PostgreSQL and Redis, or those that MMIX_TEST_*_URL name."""

import os
import shutil
import signal
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any
from uuid import UUID, uuid4

import pytest
import sqlalchemy
from sqlalchemy.engine import Engine
from sqlalchemy.orm import Session
from xdist.remote import Producer
from xdist.scheduler import LoadFileScheduling

from mmix import embedded
from mmix.settings import Settings
from mmix.spec.experiment import ExperimentSpec
from mmix.store import endings, experiments, leases, schema, workers
from mmix.store import sessions as store
from mmix.store.devices import Listed
from mmix.store.experiments import Wish
from mmix.store.leases import Lease
from mmix.store.sessions import Sessions

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A suite that was started in the background ignores Ctrl-C, and so would all that it starts and interrupts.
    signal.signal(signal.SIGINT, signal.default_int_handler)

for _name in [name for name in os.environ if name.startswith("MMIX_") and not name.startswith("MMIX_TEST_")]:
    del os.environ[_name]  # a developer's own service is none of the tests' business
if "PYTEST_XDIST_WORKER" in os.environ:
    # Threads that wait by spinning take the cores from the other process: a third more time of the processor.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

_HOUSEHOLDS = ("chaos", "fleet")


class _ByFile(LoadFileScheduling):
    """Keeps the tests of a file in one process, and those of a folder of households, which wait most of the time."""

    def _split_scope(self, nodeid: str) -> str:
        file = super()._split_scope(nodeid)
        return next((folder for folder in _HOUSEHOLDS if folder in file.split("/")), file)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes longest comes first, so that no process is left alone with it in the end."""
    ranks = {folder: place for place, folder in enumerate((*_HOUSEHOLDS, "terminal"))}
    items.sort(key=lambda item: ranks.get(item.path.parent.name, len(ranks)))


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> _ByFile:
    """How tests are shared out where there are several processes."""
    return _ByFile(config, log)


@contextmanager
def temporary_home() -> Iterator[Path]:
    """A folder with a short path (sockets live in it) that PostgreSQL's own user may enter."""
    folder = Path(tempfile.mkdtemp(prefix="mmix-test-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def servers() -> Iterator[Settings]:
    """PostgreSQL and Redis, once for the whole session."""
    with (
        temporary_home() as home,
        embedded.services(
            Settings(
                home=home,
                database_url=os.environ.get("MMIX_TEST_DATABASE_URL"),
                redis_url=os.environ.get("MMIX_TEST_REDIS_URL"),
            )
        ) as served,
    ):
        yield served


@pytest.fixture(scope="session")
def template(servers: Settings) -> Iterator[str]:
    """The name of a migrated database, to copy."""
    with database(servers, template=None) as name:
        engine = store.engine(at(servers, name))
        schema.migrate(engine)
        engine.dispose()
        yield name


@pytest.fixture
def settings(servers: Settings, template: str) -> Iterator[Settings]:
    """Settings with a database, and a home, of the test's own."""
    with temporary_home() as home, database(servers, template=template) as name:
        yield at(servers, name).model_copy(update={"home": home})


@pytest.fixture
def empty_settings(servers: Settings) -> Iterator[Settings]:
    """Settings with a database of the test's own that was never migrated."""
    with temporary_home() as home, database(servers, template=None) as name:
        yield at(servers, name).model_copy(update={"home": home})


@pytest.fixture
def engine(settings: Settings) -> Iterator[Engine]:
    """An engine on the test's own database."""
    made = store.engine(settings)
    yield made
    made.dispose()


@pytest.fixture
def sessions(engine: Engine) -> Sessions:
    """Sessions on the test's own database."""
    return store.sessions(engine)


@contextmanager
def database(servers: Settings, *, template: str | None) -> Iterator[str]:
    """The name of a new database, empty or a copy of another; it is dropped at the end."""
    name = f"mmix_test_{uuid4().hex[:12]}"
    admin = sqlalchemy.create_engine(servers.sqlalchemy_url(), isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name}" + (f" TEMPLATE {template}" if template else ""))
        try:
            yield name
        finally:
            connection.exec_driver_sql(f"DROP DATABASE {name} WITH (FORCE)")
    admin.dispose()


@contextmanager
def filled(servers: Settings, template: str, script: str, **values: object) -> Iterator[Sessions]:
    """Sessions on a new database, in which these statements were executed."""
    with database(servers, template=template) as name:
        engine = store.engine(at(servers, name))
        made = store.sessions(engine)
        with made.begin() as session:
            for statement in script.split(";\n"):
                used = {name: value for name, value in values.items() if f":{name}" in statement}
                session.execute(sqlalchemy.text(statement), used)
        yield made
        engine.dispose()


def at(servers: Settings, database: str) -> Settings:
    """The servers' settings with another database."""
    assert servers.database_url is not None
    url = sqlalchemy.make_url(servers.database_url).set(database=database)
    return servers.model_copy(update={"database_url": url.render_as_string(hide_password=False)})


def new_worker(
    session: Session,
    *,
    devices: int = 1,
    kinds: tuple[str, ...] = ("any", "cpu"),
    data: Mapping[str, str | None] = MappingProxyType({}),
) -> UUID:
    """A live worker with so many CPU slots and these data sets, whose runs may ask for these kinds."""
    worker_id = uuid4()
    inventory = [Listed(f"cpu-{number}", "cpu") for number in range(devices)]
    workers.beat(session, worker_id=worker_id, host="here", pid=1, queues=kinds, inventory=inventory, data=data)
    return worker_id


def new_lease(session: Session) -> Lease:
    """The lease of a new worker on a new run."""
    made = experiments.create(session, owner="local", spec=make_spec(), wish=Wish(seeds=(0,)))
    lease = leases.claim(
        session,
        run_id=experiments.get(session, owner="local", experiment_id=made).runs[0].id,
        worker_id=new_worker(session),
        host="here",
        queues=("any",),
        lease_seconds=60,
    )
    assert lease is not None
    return lease


def finish(
    session: Session,
    run_id: UUID,
    *,
    found: Mapping[str, Mapping[str, float]],
    provenance: Mapping[str, Any] = MappingProxyType({}),
) -> Lease:
    """A queued run's way to its end: a new worker claims it and succeeds. Its lease."""
    lease = leases.claim(
        session, run_id=run_id, worker_id=new_worker(session), host="here", queues=("any",), lease_seconds=60
    )
    assert lease is not None
    endings.succeed(session, lease, found=found, provenance=provenance, seconds=1.0)
    return lease


def make_spec(**changes: object) -> ExperimentSpec:
    """A small, valid spec with whole top-level parts replaced."""
    parts: dict[str, object] = {
        "model": {"kind": "mlp", "hidden": [16]},
        "data": {"kind": "digits"},
        "mixing": {"kind": "erm"},
        "training": {"epochs": 2},
        "evaluation": {"attacks": [{"kind": "fgsm", "eps": [8]}]},
    }
    return ExperimentSpec.model_validate({**parts, **changes})
