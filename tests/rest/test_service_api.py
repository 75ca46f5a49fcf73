import subprocess
import sys

from fastapi.testclient import TestClient

from api import openapi
from api.main import application
from mmix.settings import Settings
from mmix.spec.experiment import ExperimentSpec


def test_the_schema_is_that_of_a_spec(client: TestClient) -> None:
    assert client.get("/v1/schema").json() == ExperimentSpec.model_json_schema()


def test_a_migrated_database_is_ready(client: TestClient) -> None:
    assert client.get("/healthz").json() == client.get("/readyz").json() == {"status": "ok"}


def test_an_empty_database_is_not_ready_and_says_what_to_do(empty_settings: Settings) -> None:
    with TestClient(application(empty_settings)) as client:
        response = client.get("/readyz")
    assert response.status_code == 503
    assert "run `mmix migrate`" in response.json()["detail"]


def test_an_unreachable_database_is_a_503_without_a_traceback() -> None:
    app = application(Settings(database_url="postgresql://127.0.0.1:9/none"))
    with TestClient(app, raise_server_exceptions=False) as client:
        response = client.get("/v1/experiments")
        alive = client.get("/healthz")
    assert (response.status_code, alive.status_code) == (503, 200)
    assert response.headers["retry-after"]
    assert response.json()["detail"] == "The database can't be reached; try again shortly"


def test_an_unknown_path_and_a_wrong_method_are_problems_too(client: TestClient) -> None:
    for response in (client.get("/nowhere"), client.delete("/v1/experiments")):
        assert response.headers["content-type"] == "application/problem+json"
    assert client.delete("/v1/experiments").status_code == 405


def test_the_committed_openapi_document_is_what_the_api_offers() -> None:
    assert openapi.PATH.read_text() == openapi.text()


def test_the_api_loads_no_torch_and_no_celery() -> None:
    code = (
        "import sys, api.main; print(sorted({'torch', 'sklearn', 'matplotlib', 'celery', 'redis'} & set(sys.modules)))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
