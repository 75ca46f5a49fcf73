from pathlib import Path
from uuid import uuid4

import pytest
from fastapi.testclient import TestClient

from api.main import application
from mmix.settings import Settings
from mmix.store import endings
from mmix.store.leases import Lease
from mmix.store.sessions import Sessions
from tests.conftest import new_lease

CONTENT = {"logits.safetensors": b"\x00\xff" * 700_000, "spectrum.json": b'{"kind": "spectrum"}'}


@pytest.fixture
def lease(sessions: Sessions, settings: Settings) -> Lease:
    """An attempt that has written two artifacts, has a third still to write, and is not over."""
    with sessions.begin() as session:
        lease = new_lease(session)
    folder = _folder(settings, lease)
    folder.mkdir(parents=True)
    for name, content in {**CONTENT, ".hidden.json.part": b"{"}.items():
        (folder / name).write_bytes(content)
    (folder.parent / "secret").write_text("not an artifact")
    return lease


def _folder(settings: Settings, lease: Lease) -> Path:
    return Path(settings.artifacts_place) / "runs" / str(lease.run_id) / str(lease.attempt) / "artifacts"


@pytest.fixture
def succeeded(sessions: Sessions, lease: Lease) -> str:
    with sessions.begin() as session:
        endings.succeed(
            session, lease, found={"last": {"error": 0.5}}, provenance={"artifacts": [*CONTENT]}, seconds=1.0
        )
    return f"/v1/runs/{lease.run_id}/artifacts"


def test_what_a_run_has_left_is_listed_once_it_has_succeeded(client: TestClient, lease: Lease) -> None:
    assert client.get(f"/v1/runs/{lease.run_id}/artifacts").json() == {"items": []}


def test_artifacts_are_listed_with_their_sizes_and_come_as_they_were_written(
    client: TestClient, succeeded: str
) -> None:
    sizes = {item["name"]: item["size_bytes"] for item in client.get(succeeded).json()["items"]}
    assert sizes == {name: len(content) for name, content in CONTENT.items()}
    fetched = {name: client.get(f"{succeeded}/{name}") for name in CONTENT}
    assert {name: answer.content for name, answer in fetched.items()} == CONTENT
    assert fetched["spectrum.json"].headers["content-type"] == "application/json"
    assert fetched["logits.safetensors"].headers["content-length"] == "1400000"


@pytest.mark.parametrize(
    "name", ["nothing.json", ".hidden.json.part", "secret", "..%2Fsecret", "%2e%2e%2fsecret", "a%00b", "%2Fetc"]
)
def test_only_names_from_the_list_are_read(client: TestClient, succeeded: str, name: str) -> None:
    answer = client.get(f"{succeeded}/{name}")
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"


def test_an_artifact_that_was_deleted_is_listed_no_more(
    client: TestClient, succeeded: str, settings: Settings, lease: Lease
) -> None:
    (_folder(settings, lease) / "spectrum.json").unlink()
    assert [item["name"] for item in client.get(succeeded).json()["items"]] == ["logits.safetensors"]


def test_an_unknown_run_has_no_artifacts(client: TestClient) -> None:
    assert client.get(f"/v1/runs/{uuid4()}/artifacts").status_code == 404


def test_a_storage_that_does_not_answer_is_told_as_an_outage(settings: Settings, succeeded: str) -> None:
    elsewhere = settings.model_copy(update={"artifacts": "nosuchprotocol://bucket"})
    with TestClient(application(elsewhere), raise_server_exceptions=False) as client:
        for path in (succeeded, f"{succeeded}/spectrum.json"):
            answer = client.get(path)
            assert (answer.status_code, answer.json()["detail"]) == (
                503,
                "Artifacts can't be reached; try again shortly",
            )
