"""Suites over REST: what they claim, and what their comparisons have come to."""

from typing import Any
from uuid import UUID

import pytest
from fastapi.testclient import TestClient

from mmix.store.sessions import Sessions
from mmix.suites.catalogue import SUITES, find
from mmix.suites.study import Study, body, key
from tests.conftest import finish, new_worker

ERRORS = {"erm": (0.20, 0.22), "input": (0.15, 0.17), "manifold": (0.10, 0.1201)}
SPIRAL = find("confmix-spiral").studies("quick")[0].seeded(2)
RISKS = {"erm": (0.20, 0.22), "input": (0.15, 0.17), "layer 3": (0.10, 0.1201)}


def _post(client: TestClient, study: Study, *, suite: str) -> dict[str, Any]:
    asked = body(study, suite=suite, budget="quick")
    response = client.post("/v1/comparisons", json=asked, headers={"Idempotency-Key": key(asked, version=1)})
    assert response.status_code == 201, response.text
    made: dict[str, Any] = response.json()
    return made


def _measure(client: TestClient, sessions: Sessions, study: Study, *, suite: str, values: dict[str, Any]) -> str:
    """A comparison of the suite whose runs have ended with these errors; its id."""
    made = _post(client, study, suite=suite)
    for arm in made["arms"]:
        for run, error in zip(arm["runs"], values[arm["name"]], strict=True):
            with sessions.begin() as session:
                finish(session, UUID(run["id"]), found={"last": {"error": error}})
    comparison: str = made["id"]
    return comparison


def test_all_suites_are_listed_with_their_runs_and_claims(client: TestClient) -> None:
    items = client.get("/v1/suites").json()["items"]
    assert [item["name"] for item in items] == [suite.name for suite in SUITES]
    assert items[0]["runs"] == {"quick": 80, "standard": 240, "paper": 800}


def test_a_suite_says_which_data_it_needs_and_whether_a_worker_has_them(client: TestClient, sessions: Sessions) -> None:
    def needs() -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = client.get("/v1/suites/confmix-cifar10").json()["budgets"]["quick"][0]["needs"]
        return found

    missing = {"name": "cifar10", "preparation": "mmix data prepare cifar10", "at_a_worker": False}
    assert needs() == [missing]
    with sessions.begin() as session:
        new_worker(session, data={"cifar10": None})
    assert needs() == [{**missing, "at_a_worker": True}]


def test_a_suite_tells_its_studies_and_claims(client: TestClient) -> None:
    found = client.get("/v1/suites/confmix-spiral").json()
    (study,) = found["budgets"]["quick"]
    assert (study["name"], study["baseline"], study["metrics"][0]) == ("spiral", "erm", "error")
    assert list(study["arms"]) == ["erm", "input", "layer 3"]
    assert found["decides"][0]["places"][0]["document"].startswith("On Manifold Mixup for Deep Learning")


def test_a_table_has_a_row_for_each_arm_and_a_verdict_for_each_claim(client: TestClient, sessions: Sessions) -> None:
    comparison = _measure(client, sessions, SPIRAL, suite="confmix-spiral", values=RISKS)
    found = client.get("/v1/suites/confmix-spiral/table").json()
    assert found["studies"][0]["comparison"] == comparison
    assert [(row["arm"], row["metric"], row["n"]) for row in found["rows"]] == [
        ("erm", "error", 2),
        ("input", "error", 2),
        ("layer 3", "error", 2),
    ]
    erm, mixup, deep = found["rows"]
    assert (erm["baseline"], erm["difference"]) == (True, None)
    assert erm["mean"] == pytest.approx(0.21)
    assert erm["interval"] is not None
    # Two equal differences don't tell how much they scatter.
    assert (mixup["difference"]["verdict"], deep["difference"]["verdict"]) == ("not resolved", "better")
    verdicts = {claim["id"]: claim["verdict"] for claim in found["claims"]}
    assert verdicts == {
        "spiral-smoother": "not run",
        "spiral-finds-the-boundary": "not resolved",
        "spiral-pronounced": "not run",
        "gap-shrinks": "not run",
    }


def test_a_table_without_comparisons_says_that_nothing_was_run(client: TestClient) -> None:
    found = client.get("/v1/suites/few-labels/table", params={"budget": "standard"}).json()
    assert found["rows"] == []
    assert [(study["ended"], study["comparison"]) for study in found["studies"]] == [(0, None), (0, None)]
    assert {claim["verdict"] for claim in found["claims"]} == {"not run"}


def test_budgets_are_kept_apart_and_the_newest_comparison_speaks(client: TestClient, sessions: Sessions) -> None:
    _measure(client, sessions, SPIRAL, suite="confmix-spiral", values=RISKS)
    newest = _post(client, SPIRAL.seeded(3), suite="confmix-spiral")
    shown = client.get("/v1/suites/confmix-spiral/table").json()["studies"][0]
    assert (shown["comparison"], shown["ended"], shown["runs"]) == (newest["id"], 6, 9)
    assert client.get("/v1/suites/confmix-spiral/table", params={"budget": "paper"}).json()["rows"] == []


def test_a_rerun_of_a_study_is_the_same_comparison(client: TestClient) -> None:
    assert _post(client, SPIRAL, suite="confmix-spiral")["id"] == _post(client, SPIRAL, suite="confmix-spiral")["id"]


def test_markdown_and_latex_show_per_cent(client: TestClient, sessions: Sessions) -> None:
    _measure(client, sessions, SPIRAL, suite="confmix-spiral", values=RISKS)
    written = {name: client.get("/v1/suites/confmix-spiral/table", params={"format": name}) for name in ("md", "latex")}
    assert written["md"].headers["content-type"] == "text/markdown; charset=utf-8"
    assert "| spiral | erm | error [%] | 21.00 ± 1.41 | 2 |" in written["md"].text
    assert "| spiral-finds-the-boundary:" in written["md"].text
    assert written["latex"].headers["content-type"] == "application/x-latex"
    assert r"spiral & layer 3 & error [\%] & 11.01 $\pm$ 1.42 & 2 & " in written["latex"].text


def test_what_is_not_there_is_named_with_what_is(client: TestClient) -> None:
    missing = client.get("/v1/suites/digit/table")
    assert missing.status_code == 404
    assert missing.json()["detail"].startswith("There is no suite 'digit' (did you mean digits?); allowed: digits, ")
    wrong = client.get("/v1/suites/digits/table", params={"budget": "cheap"})
    assert wrong.status_code == 422
    assert wrong.json()["errors"][0]["loc"] == ["query", "budget"]
