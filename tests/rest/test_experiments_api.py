import json
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient

from mmix.spec.experiment import canonical, digest
from tests.conftest import make_spec

SPEC = canonical(make_spec())


def _body(**changes: object) -> dict[str, Any]:
    return {"spec": SPEC, "seeds": [0, 1], **changes}


def _count(client: TestClient) -> int:
    return len(client.get("/v1/experiments").json()["items"])


def test_a_post_answers_201_with_everything_a_caller_needs(client: TestClient) -> None:
    response = client.post("/v1/experiments", json=_body(tags=["mine"]))
    assert response.status_code == 201
    made = response.json()
    assert {"id", "digest", "owner", "state", "tags", "created_at", "runs"} <= set(made)
    assert (made["digest"], made["owner"], made["state"]) == (digest(make_spec()), "local", "queued")
    assert [(run["seed"], run["state"]) for run in made["runs"]] == [(0, "queued"), (1, "queued")]
    assert client.get(f"/v1/experiments/{made['id']}").json() == made


def test_a_run_can_be_looked_at(client: TestClient) -> None:
    made = client.post("/v1/experiments", json=_body()).json()
    run = client.get(f"/v1/runs/{made['runs'][1]['id']}").json()
    assert (run["experiment"], run["seed"], run["state"], run["attempt"]) == (made["id"], 1, "queued", 0)
    assert (run["results"], run["failure"]) == ({}, None)
    assert run["progress"] == {"epoch": 0, "epochs": 2, "images_per_second": None, "seconds_left": None}
    assert run["provenance"] is None
    assert client.get(f"/v1/runs/{run['id']}/curves").json() == {"curves": {}}


def test_the_same_key_and_body_get_the_same_answer(client: TestClient) -> None:
    headers = {"Idempotency-Key": "abc"}
    first = client.post("/v1/experiments", json=_body(), headers=headers)
    second = client.post("/v1/experiments", json=_body(), headers=headers)
    assert (second.status_code, second.content) == (201, first.content)
    assert _count(client) == 1


def test_the_same_key_with_another_body_is_a_conflict(client: TestClient) -> None:
    headers = {"Idempotency-Key": "abc"}
    client.post("/v1/experiments", json=_body(), headers=headers)
    response = client.post("/v1/experiments", json=_body(seeds=[7]), headers=headers)
    assert response.status_code == 409
    assert response.headers["content-type"] == "application/problem+json"
    assert _count(client) == 1


def test_experiments_are_listed_in_pages(client: TestClient) -> None:
    made = [client.post("/v1/experiments", json=_body(seeds=[seed])).json()["id"] for seed in range(3)]
    first = client.get("/v1/experiments", params={"limit": 2}).json()
    second = client.get("/v1/experiments", params={"limit": 2, "cursor": first["next"]}).json()
    assert [item["id"] for item in first["items"] + second["items"]] == made[::-1]
    assert second["next"] is None


def test_cancelling_an_experiment_cancels_its_queued_runs(client: TestClient) -> None:
    made = client.post("/v1/experiments", json=_body()).json()
    cancelled = client.post(f"/v1/experiments/{made['id']}/cancel").json()
    assert cancelled["state"] == "cancelled"
    assert {run["state"] for run in cancelled["runs"]} == {"cancelled"}


def test_cancelling_a_run_leaves_the_others(client: TestClient) -> None:
    made = client.post("/v1/experiments", json=_body()).json()
    assert client.post(f"/v1/runs/{made['runs'][0]['id']}/cancel").json()["state"] == "cancelled"
    assert [run["state"] for run in client.get(f"/v1/experiments/{made['id']}").json()["runs"]] == [
        "cancelled",
        "queued",
    ]


def test_a_run_that_needs_another_is_blocked_until_it_has_succeeded(client: TestClient) -> None:
    first = client.post("/v1/experiments", json=_body()).json()
    second = client.post("/v1/experiments", json=_body(seeds=[2], after=[first["id"]])).json()
    assert (second["state"], second["runs"][0]["state"]) == ("blocked", "blocked")


def test_what_a_run_shall_wait_for_must_be_there(client: TestClient) -> None:
    stranger = "01970000-0000-7000-8000-000000000000"
    response = client.post("/v1/experiments", json=_body(after=[stranger]))
    assert response.status_code == 404
    assert stranger in response.json()["detail"]
    assert _count(client) == 0


def test_a_cancelled_run_is_retried_by_a_new_one_in_its_place(client: TestClient) -> None:
    made = client.post("/v1/experiments", json=_body(seeds=[0])).json()
    old = made["runs"][0]["id"]
    assert client.post(f"/v1/runs/{old}/retry").status_code == 409
    client.post(f"/v1/runs/{old}/cancel")
    response = client.post(f"/v1/runs/{old}/retry")
    assert response.status_code == 201
    new = response.json()
    assert (new["retry_of"], new["state"], new["seed"]) == (old, "queued", 0)
    found = client.get(f"/v1/experiments/{made['id']}").json()
    assert (found["state"], [run["id"] for run in found["runs"]]) == ("queued", [new["id"]])
    assert client.get(f"/v1/runs/{old}").json()["state"] == "cancelled"
    assert client.post(f"/v1/runs/{old}/retry").status_code == 409


def test_a_run_that_nobody_tried_has_no_attempts(client: TestClient) -> None:
    run = client.post("/v1/experiments", json=_body()).json()["runs"][0]["id"]
    assert client.get(f"/v1/runs/{run}/attempts").json() == {"items": []}
    assert client.get("/v1/runs/01970000-0000-7000-8000-000000000000/attempts").status_code == 404


def _spec(part: str, **changes: object) -> dict[str, Any]:
    return {**SPEC, part: {**SPEC[part], **changes}}


MANIFOLD = {"kind": "manifold_mixup", "alpha": 1.0, "layers": [0]}
REFUSED: list[tuple[str, object, list[object]]] = [
    ("wrong type", _body(spec=_spec("training", epochs="2")), ["spec", "training", "epochs"]),
    ("truth for a number", _body(spec=_spec("training", epochs=True)), ["spec", "training", "epochs"]),
    ("unknown field", _body(spec=_spec("training", epoch=2)), ["spec", "training", "epoch"]),
    ("unknown top field", _body(seed=3), ["seed"]),
    ("layer outside", _body(spec={**SPEC, "mixing": {**MANIFOLD, "layers": [0, 2]}}), ["spec", "mixing", "layers"]),
    ("no layer", _body(spec={**SPEC, "mixing": {**MANIFOLD, "layers": []}}), ["spec", "mixing", "layers"]),
    ("alpha 0", _body(spec={**SPEC, "mixing": {**MANIFOLD, "alpha": 0}}), ["spec", "mixing", "alpha"]),
    ("alpha below 0", _body(spec={**SPEC, "mixing": {**MANIFOLD, "alpha": -1}}), ["spec", "mixing", "alpha"]),
    ("alpha NaN", _body(spec={**SPEC, "mixing": {**MANIFOLD, "alpha": float("nan")}}), ["spec", "mixing", "alpha"]),
    ("alpha inf", _body(spec={**SPEC, "mixing": {**MANIFOLD, "alpha": float("inf")}}), ["spec", "mixing", "alpha"]),
    ("unknown data", _body(spec={**SPEC, "data": {"kind": "imagenet22k"}}), ["spec", "data", "kind"]),
    ("no kind", _body(spec={**SPEC, "data": {}}), ["spec", "data", "kind"]),
    ("a path", _body(spec={**SPEC, "data": {"kind": "folder", "name": "../etc"}}), ["spec", "data", "name"]),
    ("missing part", _body(spec={k: v for k, v in SPEC.items() if k != "model"}), ["spec", "model"]),
    ("no seeds", _body(seeds=[]), ["seeds"]),
    ("doubled seeds", _body(seeds=[1, 1]), ["seeds"]),
    ("huge seed", _body(seeds=[2**63]), ["seeds", 0]),
    ("too many seeds", _body(seeds=list(range(1001))), ["seeds"]),
    ("NUL in a tag", _body(tags=["a\x00"]), ["tags", 0]),
    ("huge integer", _body(priority=10**400), ["priority"]),
    ("after nonsense", _body(after=["yesterday"]), ["after", 0]),
    ("a list", [1, 2], []),
    ("nothing", None, []),
]


@pytest.mark.parametrize(("name", "body", "place"), REFUSED, ids=[name for name, _, _ in REFUSED])
def test_a_bad_body_is_refused_at_its_place_and_nothing_is_stored(
    client: TestClient, name: str, body: object, place: list[object]
) -> None:
    text = json.dumps(body)
    response = client.post("/v1/experiments", content=text, headers={"Content-Type": "application/json"})
    assert response.status_code == 422, name
    assert response.headers["content-type"] == "application/problem+json"
    problem = response.json()
    assert problem["status"] == 422
    assert ["body", *place] in [error["loc"] for error in problem["errors"]]
    assert problem["detail"]
    assert _count(client) == 0


def test_a_refusal_says_what_was_given_and_what_is_allowed(client: TestClient) -> None:
    body = _body(spec={**SPEC, "mixing": {**MANIFOLD, "layers": [0, 2]}})
    (error,) = client.post("/v1/experiments", json=body).json()["errors"]
    assert (error["given"], error["allowed"]) == ("[0, 2]", "0 to 1")
    assert "mlp has mix points 0 to 1; 2 lies outside" in error["msg"]


@pytest.mark.parametrize(
    "text",
    ["", "{", "nonsense", '{"spec": ' + "[" * 100_000, "\ud800".encode("utf-16", "surrogatepass").decode("latin-1")],
    ids=["empty", "cut", "words", "deep", "surrogate"],
)
def test_what_is_not_json_is_refused(client: TestClient, text: str) -> None:
    response = client.post("/v1/experiments", content=text, headers={"Content-Type": "application/json"})
    assert 400 <= response.status_code < 500
    assert response.headers["content-type"] == "application/problem+json"
    assert _count(client) == 0


def _ten_megabytes() -> Iterator[bytes]:
    yield b'{"spec": "'
    for _ in range(160):
        yield b"x" * 65_536
    yield b'"}'


def test_ten_megabytes_of_json_are_refused_whether_announced_or_not(client: TestClient) -> None:
    announced = client.post("/v1/experiments", content=b"".join(_ten_megabytes()))
    streamed = client.post("/v1/experiments", content=_ten_megabytes())
    assert (announced.status_code, streamed.status_code) == (413, 413)
    assert "262144 bytes" in streamed.json()["detail"]
    assert _count(client) == 0


@pytest.mark.parametrize("path", ["experiments", "runs"])
def test_what_does_not_exist_is_404_and_what_is_no_id_is_422(client: TestClient, path: str) -> None:
    missing = client.get(f"/v1/{path}/01890a5d-ac96-774b-bcce-b302099a8057")
    assert (missing.status_code, missing.headers["content-type"]) == (404, "application/problem+json")
    assert client.get(f"/v1/{path}/not-an-id").status_code == 422
    assert client.post(f"/v1/{path}/01890a5d-ac96-774b-bcce-b302099a8057/cancel").status_code == 404


@pytest.mark.parametrize("key", ["", "x" * 201, "with space"])
def test_an_idempotency_key_has_its_bounds(client: TestClient, key: str) -> None:
    response = client.post("/v1/experiments", json=_body(), headers={"Idempotency-Key": key})
    assert response.status_code == 422
    assert response.json()["errors"][0]["loc"] == ["header", "Idempotency-Key"]
