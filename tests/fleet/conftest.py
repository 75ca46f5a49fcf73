"""A whole household of real processes with short leases, over the test's own database and Redis."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from mmix import embedded
from mmix.cli.household import Household, opened
from mmix.client import Client
from mmix.settings import Settings
from mmix.store import sessions as store
from mmix.store.sessions import Sessions
from tests.conftest import at, database, temporary_home

LEASE_SECONDS, RENEWAL_SECONDS = 3.0, 0.5


def hasty(settings: Settings, *, redis_url: str) -> Settings:
    """Leases of three seconds, two slots of one thread."""
    return settings.model_copy(
        update={
            "redis_url": redis_url,
            "lease_seconds": LEASE_SECONDS,
            "renewal_seconds": RENEWAL_SECONDS,
            "grace_seconds": LEASE_SECONDS,
            "hint_seconds": 3.0,
            "slots": 2,
            "threads": 1,
        }
    )


@pytest.fixture
def short(settings: Settings) -> Iterator[Settings]:
    """Hasty settings with a Redis of the test's own, which the test may harm."""
    with embedded.redis_server(settings.home / "redis") as redis_url:
        yield hasty(settings, redis_url=redis_url)


@pytest.fixture(scope="module")
def shared(servers: Settings, template: str) -> Iterator[Settings]:
    """Hasty settings for one household that all tests of a module share."""
    with (
        temporary_home() as home,
        database(servers, template=template) as name,
        embedded.redis_server(home / "redis") as redis_url,
    ):
        yield hasty(at(servers, name).model_copy(update={"home": home}), redis_url=redis_url)


@pytest.fixture(scope="module")
def shared_house(shared: Settings) -> Iterator[Household]:
    """API, dispatcher and worker, each a process."""
    with opened(shared, port=0) as made:
        yield made


@pytest.fixture
def house(shared_house: Household) -> Household:
    """The household, whole again where the test before killed a part of it."""
    until(lambda: not shared_house.tend() and shared_house.whole(), seconds=10, what="a whole household")
    return shared_house


@pytest.fixture
def client(house: Household) -> Iterator[Client]:
    """The household's REST API."""
    with Client(house.url) as made:
        yield made


@pytest.fixture
def rows(shared: Settings) -> Iterator[Sessions]:
    """Sessions on the household's database."""
    engine = store.engine(shared)
    yield store.sessions(engine)
    engine.dispose()


def until(holds: Callable[[], Any], *, seconds: float, what: str) -> Any:
    """What `holds` answers once it is true.

    Raises: AssertionError where that takes too long.
    """
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = holds()
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError(f"{what} did not happen within {seconds} s")
