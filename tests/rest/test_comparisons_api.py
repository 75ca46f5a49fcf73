"""A comparison over REST: made in one go, told at any time, judged once all its runs have ended."""

import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import pytest
import safetensors.numpy
from fastapi.testclient import TestClient
from scipy import stats

from mmix.settings import Settings
from mmix.spec.experiment import canonical
from mmix.store import endings, events, leases, results
from mmix.store.events import Batch, Point
from mmix.store.sessions import Sessions
from tests.conftest import finish, make_spec, new_worker

ERM = [0.10, 0.12, 0.11, 0.14, 0.09, 0.13]
MIXUP = [0.08, 0.09, 0.10, 0.10, 0.08, 0.09]
CUTMIX = [0.11, 0.11, 0.12, 0.13, 0.10, 0.14]
ARMS = [
    {"name": "erm", "replace": {}},
    {"name": "mixup", "replace": {"mixing": {"kind": "input_mixup", "alpha": 1.0}}},
    {"name": "cutmix", "replace": {"mixing": {"kind": "cutmix"}}},
]
VALUES = {"erm": ERM, "mixup": MIXUP, "cutmix": CUTMIX}
UNKNOWN = "01970000-0000-7000-8000-000000000000"


def _body(**changes: object) -> dict[str, Any]:
    parts = {"name": "digits", "base": canonical(make_spec()), "arms": ARMS[:2], "seeds": [0, 1], "baseline": "erm"}
    return {**parts, **changes}


def _made(client: TestClient, **changes: object) -> dict[str, Any]:
    response = client.post("/v1/comparisons", json=_body(**changes))
    assert response.status_code == 201, response.text
    made: dict[str, Any] = response.json()
    return made


def _get(client: TestClient, comparison: Mapping[str, Any], **asked: object) -> dict[str, Any]:
    response = client.get(f"/v1/comparisons/{comparison['id']}", params=asked)
    assert response.status_code == 200, response.text
    found: dict[str, Any] = response.json()
    return found


def _runs(comparison: Mapping[str, Any]) -> dict[str, list[dict[str, Any]]]:
    return {arm["name"]: arm["runs"] for arm in comparison["arms"]}


def _end(sessions: Sessions, runs: Sequence[Mapping[str, Any]], errors: Sequence[float]) -> None:
    for run, error in zip(runs, errors, strict=True):
        found = {"last": {"error": error, "nll": 3 * error, "forward_backward_passes": 100.0}}
        with sessions.begin() as session:
            finish(session, UUID(run["id"]), found=found)


def _ended(client: TestClient, sessions: Sessions, **changes: object) -> dict[str, Any]:
    """A comparison of three arms over six seeds, all of whose runs have ended."""
    made = _made(client, arms=ARMS, seeds=[*range(6)], **changes)
    for name, runs in _runs(made).items():
        _end(sessions, runs, VALUES[name])
    return made


def test_a_post_answers_with_its_arms_and_their_runs(client: TestClient) -> None:
    made = _made(client, tags=["suite:digits"], smallest_difference=0.005)
    told = {name: made[name] for name in ("name", "owner", "state", "metric", "baseline", "smallest_difference")}
    assert told == {
        "name": "digits",
        "owner": "local",
        "state": "queued",
        "metric": "error",
        "baseline": "erm",
        "smallest_difference": 0.005,
    }
    assert (made["seeds"], made["tags"], made["unlike"], made["analysis"]) == ([0, 1], ["suite:digits"], [], None)
    assert [(arm["name"], arm["label"], len(arm["digest"])) for arm in made["arms"]] == [
        ("erm", "erm", 64),
        ("mixup", "input_mixup alpha=1", 64),
    ]
    assert {(run["seed"], run["state"], run["shared"]) for run in made["arms"][0]["runs"]} == {
        (0, "queued", False),
        (1, "queued", False),
    }
    assert _get(client, made) == made


def test_there_is_no_analysis_before_the_first_pair_and_no_verdict_before_the_last(
    client: TestClient, sessions: Sessions
) -> None:
    made = _made(client, seeds=[0, 1, 2])
    runs = _runs(made)
    _end(sessions, runs["erm"], [0.10, 0.12, 0.11])
    assert _get(client, made)["analysis"] is None
    _end(sessions, runs["mixup"][:2], [0.05, 0.06])
    early = _get(client, made)["analysis"]
    assert (early["complete"], early["differences"][0]["n"], early["differences"][0]["verdict"]) == (
        False,
        2,
        "pending",
    )
    _end(sessions, runs["mixup"][2:], [0.055])
    late = _get(client, made)["analysis"]
    assert (late["complete"], late["differences"][0]["n"], late["differences"][0]["verdict"]) == (True, 3, "better")


def test_the_analysis_of_a_finished_comparison_is_what_scipy_says(client: TestClient, sessions: Sessions) -> None:
    found = _get(client, _ended(client, sessions))
    analysis = found["analysis"]
    assert (found["state"], analysis["primary"], analysis["metric"]) == ("succeeded", True, "error")
    mixup, cutmix = analysis["differences"]
    for difference, values in ((mixup, MIXUP), (cutmix, CUTMIX)):
        expected = stats.ttest_rel(values, ERM)
        assert difference["p"] == pytest.approx(expected.pvalue, rel=1e-9)
        assert difference["interval"] == pytest.approx([*expected.confidence_interval(0.95)], rel=1e-9)
    assert mixup["p_holm"] == pytest.approx(2 * mixup["p"])
    assert (mixup["verdict"], cutmix["verdict"]) == ("better", "not resolved")
    assert [arm["mean"] for arm in analysis["arms"]] == pytest.approx([np.mean(values) for values in VALUES.values()])
    assert analysis["arms"][0]["cost"]["epochs"] == 2
    assert analysis["arms"][0]["cost"]["forward_backward_passes"] == 100
    assert analysis["left_out"] == []


def test_another_metric_can_be_asked_for_and_is_marked(client: TestClient, sessions: Sessions) -> None:
    made = _ended(client, sessions, smallest_difference=0.01)
    analysis = _get(client, made, metric="nll")["analysis"]
    assert (analysis["metric"], analysis["primary"], analysis["smallest_difference"]) == ("nll", False, None)
    assert analysis["differences"][0]["mean"] == pytest.approx(3 * np.mean(np.subtract(MIXUP, ERM)))
    assert _get(client, made, metric="error") == _get(client, made)
    assert _get(client, made, metric="brier")["analysis"] is None


@pytest.mark.parametrize(
    ("metric", "allowed"), [("eror", "error, nll"), ("ood_auroc@svhn", "fgsm_accuracy@pixel:8/255")]
)
def test_a_metric_that_is_not_measured_is_refused(client: TestClient, metric: str, allowed: str) -> None:
    made = _made(client)
    response = client.get(f"/v1/comparisons/{made['id']}", params={"metric": metric})
    assert response.status_code == 422
    (error,) = response.json()["errors"]
    assert (error["loc"], error["given"]) == (["query", "metric"], f"'{metric}'")
    assert allowed in error["allowed"]


def test_runs_that_have_no_value_are_left_out_and_it_is_said_why(client: TestClient, sessions: Sessions) -> None:
    made = _made(client, seeds=[0, 1, 2])
    runs = _runs(made)
    _end(sessions, runs["erm"], [0.10, 0.12, 0.11])
    _end(sessions, runs["mixup"][:2], [0.05, 0.06])
    client.post(f"/v1/runs/{runs['mixup'][2]['id']}/cancel")
    found = _get(client, made)
    assert found["state"] == "cancelled"
    assert {"arm": "mixup", "units": 1, "why": "their runs were cancelled"} in found["analysis"]["left_out"]


def test_who_cancels_what_is_left_gets_no_verdict(client: TestClient, sessions: Sessions) -> None:
    made = _made(client, seeds=[0, 1, 2, 3])
    runs = _runs(made)
    _end(sessions, runs["erm"], [0.10, 0.12, 0.11, 0.10])
    _end(sessions, runs["mixup"][:3], [0.05, 0.071, 0.06])
    client.post(f"/v1/comparisons/{made['id']}/cancel")
    analysis = _get(client, made)["analysis"]
    assert analysis["differences"][0]["p_holm"] < 0.05
    assert analysis["differences"][0]["verdict"] == "pending"


def test_withdrawn_results_leave_an_analysis_that_was_told_before(client: TestClient, sessions: Sessions) -> None:
    made = _ended(client, sessions)
    assert _get(client, made)["analysis"]["differences"][0]["n"] == 6
    with sessions.begin() as session:
        results.withdraw(session, owner="local", run_id=UUID(_runs(made)["mixup"][0]["id"]), reason="a broken disk")
    analysis = _get(client, made)["analysis"]
    assert analysis["differences"][0]["n"] == 5
    assert {"arm": "mixup", "units": 1, "why": "their runs have no such result"} in analysis["left_out"]


def test_finished_runs_are_shared_unless_all_shall_be_fresh(client: TestClient, sessions: Sessions) -> None:
    first = _made(client)
    _end(sessions, _runs(first)["erm"], [0.1, 0.2])
    again, fresh = _made(client), _made(client, fresh=True)
    assert [(run["state"], run["shared"]) for run in _runs(again)["erm"]] == [("succeeded", True)] * 2
    assert [run["id"] for run in _runs(again)["erm"]] == [run["id"] for run in _runs(first)["erm"]]
    assert [(run["state"], run["shared"]) for run in _runs(again)["mixup"]] == [("queued", False)] * 2
    assert [(run["state"], run["shared"]) for run in _runs(fresh)["erm"]] == [("queued", False)] * 2


def test_a_comparison_of_runs_that_all_have_finished_is_done_at_once(client: TestClient, sessions: Sessions) -> None:
    first = _get(client, _ended(client, sessions))
    again = _get(client, _made(client, arms=ARMS, seeds=[*range(6)]))
    assert (again["state"], again["analysis"]) == ("succeeded", first["analysis"])
    assert len(client.get("/v1/experiments").json()["items"]) == 3


def test_runs_may_finish_while_comparisons_of_them_are_made(client: TestClient, sessions: Sessions) -> None:
    seeds = [*range(8)]
    runs = _runs(_made(client, seeds=seeds))
    with ThreadPoolExecutor(3) as pool:
        ending = pool.submit(_end, sessions, runs["erm"] + runs["mixup"], [0.1] * 16)
        made = [each.result() for each in [pool.submit(_made, client, seeds=seeds) for _ in range(4)]]
        ending.result()
    found = [_get(client, each) for each in made]
    assert [len(arm["runs"]) for each in found for arm in each["arms"]] == [8] * 8
    assert {run["state"] for each in found for arm in each["arms"] for run in arm["runs"] if run["shared"]} <= {
        "succeeded"
    }
    assert {run["state"] for each in found for arm in each["arms"] for run in arm["runs"] if not run["shared"]} <= {
        "queued"
    }


def test_two_equal_posts_at_once_with_one_key_make_one_comparison(client: TestClient) -> None:
    def post(_: int) -> Any:
        return client.post("/v1/comparisons", json=_body(), headers={"Idempotency-Key": "abc"})

    with ThreadPoolExecutor(4) as pool:
        answers = [*pool.map(post, range(4))]
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.content for answer in answers}) == 1
    assert len(client.get("/v1/comparisons").json()["items"]) == 1
    other = client.post("/v1/comparisons", json=_body(seeds=[5]), headers={"Idempotency-Key": "abc"})
    assert other.status_code == 409


UNLIKE = [ARMS[0], {"name": "longer", "replace": {"training": {"epochs": 4}}}]


def test_arms_that_differ_in_budget_are_refused_with_the_place(client: TestClient) -> None:
    response = client.post("/v1/comparisons", json=_body(arms=UNLIKE))
    assert response.status_code == 422
    assert response.headers["content-type"] == "application/problem+json"
    (error,) = response.json()["errors"]
    assert error["loc"] == ["body", "arms", 1, "replace", "training", "epochs"]
    assert (error["given"], error["allowed"]) == ("'4'", "2, as 'erm' has it, or allow_unlike: true")
    assert client.get("/v1/comparisons").json() == {"items": [], "next": None}
    assert client.get("/v1/experiments").json()["items"] == []


def test_arms_that_differ_where_that_is_allowed_are_marked_in_every_answer(
    client: TestClient, sessions: Sessions
) -> None:
    made = _made(client, arms=UNLIKE, allow_unlike=True)
    for runs in _runs(made).values():
        _end(sessions, runs, [0.1, 0.2])
    (listed,) = client.get("/v1/comparisons").json()["items"]
    found = _get(client, made)
    assert [each["unlike"] for each in (made, listed, found, found["analysis"])] == [["training.epochs"]] * 4


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"baseline": "sgd"}, ["body", "baseline"]),
        ({"tags": ["a b"]}, ["body", "tags", 0]),
        ({"base": {}}, ["body", "base", "model"]),
        ({"arm": []}, ["body", "arm"]),
    ],
)
def test_what_is_wrong_is_refused_at_its_place_and_nothing_is_stored(
    client: TestClient, changes: dict[str, object], place: list[object]
) -> None:
    response = client.post("/v1/comparisons", json=_body(**changes))
    assert response.status_code == 422
    assert place in [error["loc"] for error in response.json()["errors"]]
    assert client.get("/v1/comparisons").json()["items"] == []


def test_what_is_not_there_is_404(client: TestClient) -> None:
    assert client.get(f"/v1/comparisons/{UNKNOWN}").status_code == 404
    assert client.post(f"/v1/comparisons/{UNKNOWN}/cancel").status_code == 404
    assert client.get("/v1/comparisons/yesterday").status_code == 422


def test_comparisons_are_listed_in_pages_by_name_and_tags(client: TestClient) -> None:
    made = [
        _made(client, name=name, tags=tags)["id"]
        for name, tags in [("a", ["x"]), ("b", ["x", "budget:quick"]), ("a", ["x", "budget:quick"])]
    ]

    def listed(**asked: object) -> list[str]:
        return [item["id"] for item in client.get("/v1/comparisons", params=asked).json()["items"]]

    first = client.get("/v1/comparisons", params={"limit": 2}).json()
    assert [item["id"] for item in first["items"]] == made[:0:-1]
    assert listed(limit=2, cursor=first["next"]) == made[:1]
    assert listed(name="a") == [made[2], made[0]]
    assert listed(tag=["x", "budget:quick"], name="b") == [made[1]]
    assert listed(tag="y") == []
    assert (first["items"][0]["arms"], first["items"][0]["runs"]) == (["erm", "mixup"], {"queued": 4})


def test_cancelling_leaves_shared_runs_as_they_are(client: TestClient, sessions: Sessions) -> None:
    _end(sessions, _runs(_made(client))["erm"], [0.1, 0.2])
    made = _made(client)
    cancelled = client.post(f"/v1/comparisons/{made['id']}/cancel").json()
    assert cancelled["state"] == "cancelled"
    assert {name: [run["state"] for run in runs] for name, runs in _runs(cancelled).items()} == {
        "erm": ["succeeded", "succeeded"],
        "mixup": ["cancelled", "cancelled"],
    }


def test_a_retried_run_counts_through_its_retry(client: TestClient, sessions: Sessions) -> None:
    made = _made(client)
    old = _runs(made)["mixup"][0]["id"]
    client.post(f"/v1/runs/{old}/cancel")
    new = client.post(f"/v1/runs/{old}/retry").json()["id"]
    found = _get(client, made)
    assert (found["state"], _runs(found)["mixup"][0]["id"]) == ("queued", new)
    for runs in _runs(found).values():
        _end(sessions, runs, [0.1, 0.2])
    assert _get(client, made)["analysis"]["differences"][0]["n"] == 2


def test_curves_and_costs_make_a_view_at_equal_cost(client: TestClient, sessions: Sessions) -> None:
    made = _made(client, seeds=[0, 1, 2])
    passes = {"erm": 100.0, "mixup": 200.0}
    for name, runs in _runs(made).items():
        for run in runs:
            _train(sessions, run, passes=passes[name])
    matched = _get(client, made)["analysis"]["matched"]
    (by_passes,) = [view for view in matched if view["by"] == "forward_backward_passes"]
    assert by_passes["budget"] == 100
    assert [(arm["name"], arm["epoch"]) for arm in by_passes["arms"]] == [("erm", 2), ("mixup", 1)]
    assert [arm["mean"] for arm in by_passes["arms"]] == pytest.approx([0.2, 0.5])


def _train(sessions: Sessions, run: Mapping[str, Any], *, passes: float) -> None:
    with sessions.begin() as session:
        lease = leases.claim(
            session,
            run_id=UUID(run["id"]),
            worker_id=new_worker(session),
            host="here",
            queues=("any",),
            lease_seconds=60,
        )
        assert lease is not None
        events.record(session, lease, Batch(points=[Point("error", 1, 0.5), Point("error", 2, 0.2)]))
        found = {"last": {"error": 0.2, "forward_backward_passes": passes}}
        endings.succeed(session, lease, found=found, provenance={}, seconds=1.0)


def _folder(settings: Settings, run: Mapping[str, Any]) -> Path:
    return Path(settings.artifacts_place) / "runs" / str(run["id"]) / "1" / "artifacts"


def _with_artifact(
    sessions: Sessions, settings: Settings, run: Mapping[str, Any], *, name: str, content: bytes, error: float
) -> None:
    folder = _folder(settings, run)
    folder.mkdir(parents=True)
    (folder / name).write_bytes(content)
    with sessions.begin() as session:
        finish(
            session,
            UUID(run["id"]),
            found={"last": {"error": error, "nll": 1.0}},
            provenance={"artifacts": [name]},
        )


def _logits(wrong: Sequence[int], *, images: int = 20) -> bytes:
    labels = np.arange(images) % 3
    logits = np.eye(3, dtype=np.float32)[labels]
    logits[list(wrong)] = -logits[list(wrong)]
    return safetensors.numpy.save({"logits": logits, "labels": labels})


def test_where_all_runs_have_kept_their_logits_test_images_are_drawn_again_too(
    client: TestClient, sessions: Sessions, settings: Settings
) -> None:
    made = _made(client, seeds=[0, 1, 2])
    wrong = {"erm": [[0, 1, 2], [0, 3], [1, 2, 4]], "mixup": [[0], [0], [5, 6]]}
    for name, runs in _runs(made).items():
        for run, images in zip(runs, wrong[name], strict=True):
            content = _logits(images)
            _with_artifact(sessions, settings, run, name="logits.safetensors", content=content, error=len(images) / 20)
    bootstrap = _get(client, made)["analysis"]["differences"][0]["bootstrap"]
    assert bootstrap["over"] == "seeds and test images"
    (_folder(settings, _runs(made)["erm"][0]) / "logits.safetensors").unlink()
    assert _get(client, made)["analysis"]["differences"][0]["bootstrap"] == bootstrap
    assert _get(client, _made(client, seeds=[0, 1, 2]))["analysis"]["differences"][0]["bootstrap"]["over"] == "seeds"


def test_networks_of_one_run_are_units_of_their_own(client: TestClient, sessions: Sessions, settings: Settings) -> None:
    base = {
        "model": {"kind": "mlp", "hidden": [8]},
        "data": {"kind": "gaussian_mixture", "realisations": 4},
        "mixing": {"kind": "erm"},
        "training": {"epochs": 2},
        "evaluation": {"attacks": []},
    }
    made = _made(client, base=base, seeds=[0])
    errors = {"erm": [0.2, 0.3, 0.25, 0.4], "mixup": [0.1, 0.2, 0.2, 0.25]}
    for name, (run,) in _runs(made).items():
        document = {"kind": "realisations", "results": {"last": {"error": errors[name], "nll": [1.0] * 4}}}
        content = json.dumps(document).encode()
        _with_artifact(
            sessions, settings, run, name="realisations.json", content=content, error=float(np.mean(errors[name]))
        )
    (difference,) = _get(client, made)["analysis"]["differences"]
    expected = stats.ttest_rel(errors["mixup"], errors["erm"])
    assert difference["n"] == 4
    assert difference["p"] == pytest.approx(expected.pvalue, rel=1e-9)


def test_an_artifact_place_that_does_not_answer_is_told_as_an_outage(
    client: TestClient, sessions: Sessions, settings: Settings
) -> None:
    made = _made(client, seeds=[0, 1])
    for runs in _runs(made).values():
        for run in runs:
            _with_artifact(sessions, settings, run, name="logits.safetensors", content=_logits([0]), error=0.05)
    kept = _folder(settings, _runs(made)["erm"][0]) / "logits.safetensors"
    kept.unlink()
    kept.mkdir()  # what can't be read for another reason than that it isn't there
    assert client.get(f"/v1/comparisons/{made['id']}").status_code == 503


def test_states_can_be_asked_for_without_the_analysis(client: TestClient, sessions: Sessions) -> None:
    made = _ended(client, sessions)
    found = _get(client, made, analysis="false")
    assert (found["analysis"], found["state"]) == (None, "succeeded")
