from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient

from api.main import application
from mmix.settings import Settings


@pytest.fixture
def client(settings: Settings) -> Iterator[TestClient]:
    """The API over the test's own database; Redis is nowhere to be found, and nothing here needs it."""
    unreachable = settings.model_copy(update={"redis_url": "redis://127.0.0.1:9/0"})
    with TestClient(application(unreachable), raise_server_exceptions=False) as made:
        yield made
