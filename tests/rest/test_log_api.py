from typing import Any

import pytest
from fastapi.testclient import TestClient

from mmix.store import endings, events, leases
from mmix.store.events import Batch, Line, Progress
from mmix.store.leases import Lease
from mmix.store.sessions import Sessions
from tests.conftest import new_lease, new_worker


@pytest.fixture
def lease(sessions: Sessions) -> Lease:
    """The second attempt at a run: of the first there are three lines, of this one two."""
    with sessions.begin() as session:
        first = new_lease(session)
        events.record(session, first, Batch(lines=[Line(n, f"first {n}") for n in (1, 2, 3)]))
        endings.lose(session, first, exit_code=-9, error="killed")
        second = leases.claim(
            session,
            run_id=first.run_id,
            worker_id=new_worker(session),
            host="there",
            queues=("any",),
            lease_seconds=60,
        )
        assert second is not None
        events.record(session, second, Batch(lines=[Line(n, f"second {n}") for n in (1, 2)]))
        return second


def _page(client: TestClient, lease: Lease, **query: object) -> dict[str, Any]:
    page: dict[str, Any] = client.get(f"/v1/runs/{lease.run_id}/log", params=query).json()
    return page


def _told(page: dict[str, Any]) -> list[str]:
    return [item["line"] for item in page["items"]]


def test_a_log_has_every_attempts_lines_in_order(client: TestClient, lease: Lease) -> None:
    page = _page(client, lease)
    assert [(item["attempt"], item["n"]) for item in page["items"]] == [(1, 1), (1, 2), (1, 3), (2, 1), (2, 2)]
    assert _told(page) == ["first 1", "first 2", "first 3", "second 1", "second 2"]
    assert page["next"] is None
    assert page["items"][0]["at"]


def test_a_log_comes_in_pages_that_go_over_from_attempt_to_attempt(client: TestClient, lease: Lease) -> None:
    first = _page(client, lease, limit=2)
    second = _page(client, lease, limit=2, after=first["next"])
    third = _page(client, lease, limit=2, after=second["next"])
    assert [_told(page) for page in (first, second, third)] == [
        ["first 1", "first 2"],
        ["first 3", "second 1"],
        ["second 2"],
    ]
    assert third["next"] is None


def test_a_log_can_be_that_of_one_attempt(client: TestClient, lease: Lease) -> None:
    assert _told(_page(client, lease, attempt=1)) == ["first 1", "first 2", "first 3"]
    assert _told(_page(client, lease, attempt=9)) == []


def test_whoever_knows_all_lines_gets_those_that_come_later(
    client: TestClient, lease: Lease, sessions: Sessions
) -> None:
    assert _page(client, lease, after="2:2") == {"items": [], "next": None}
    with sessions.begin() as session:
        events.record(session, lease, Batch(lines=[Line(3, "news")]))
    assert _told(_page(client, lease, after="2:2")) == ["news"]


@pytest.mark.parametrize(
    "query",
    [
        {"attempt": 0},
        {"attempt": 2**31},
        {"limit": 0},
        {"limit": 1001},
        {"after": "2"},
        {"after": "2:x"},
        {"after": "9999999999:1"},
        {"after": "1:1\n"},
    ],
)
def test_a_wrong_question_about_a_log_is_refused_at_its_place(
    client: TestClient, lease: Lease, query: dict[str, object]
) -> None:
    response = client.get(f"/v1/runs/{lease.run_id}/log", params=query)
    assert (response.status_code, response.headers["content-type"]) == (422, "application/problem+json")
    assert response.json()["errors"][0]["loc"] == ["query", *query]


def test_a_run_that_is_not_there_has_no_log(client: TestClient) -> None:
    response = client.get("/v1/runs/01890a5d-ac96-774b-bcce-b302099a8057/log")
    assert (response.status_code, response.headers["content-type"]) == (404, "application/problem+json")


def test_a_run_tells_how_fast_it_is_and_how_long_it_may_take(
    client: TestClient, lease: Lease, sessions: Sessions
) -> None:
    with sessions.begin() as session:
        progress = Progress(epoch=1, step=10, images_per_second=250.0, seconds_left=4.5, seconds=3.0)
        events.record(session, lease, Batch(progress=progress))
    run = client.get(f"/v1/runs/{lease.run_id}").json()
    assert run["progress"] == {"epoch": 1, "epochs": 2, "images_per_second": 250.0, "seconds_left": 4.5}
    first, second = client.get(f"/v1/runs/{lease.run_id}/attempts").json()["items"]
    assert (first["last_step"], first["images_per_second"]) == (None, None)
    assert (second["last_step"], second["images_per_second"]) == (10, 250.0)
