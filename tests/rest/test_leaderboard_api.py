import pytest
from fastapi.testclient import TestClient

from mmix.spec.experiment import ExperimentSpec, canonical, digest
from mmix.store import endings, experiments, leases
from mmix.store.experiments import Wish
from mmix.store.sessions import Sessions
from tests.conftest import make_spec, new_worker

FGSM = "fgsm_accuracy@pixel:8/255"


def _finish(sessions: Sessions, spec: ExperimentSpec, *, error: float) -> None:
    with sessions.begin() as session:
        made = experiments.create(session, owner="local", spec=spec, wish=Wish(seeds=(0, 1)))
        for run in experiments.get(session, owner="local", experiment_id=made).runs:
            lease = leases.claim(
                session, run_id=run.id, worker_id=new_worker(session), host="here", queues=("any",), lease_seconds=60
            )
            assert lease is not None
            found = {"error": error + run.seed / 100, "nll": 0.5, FGSM: 0.7}
            endings.succeed(
                session, lease, found={"last": found, "best_on_test": {"error": 0.0}}, provenance={}, seconds=1.0
            )


def test_a_row_has_its_group_spec_label_and_metrics_over_seeds(client: TestClient, sessions: Sessions) -> None:
    spec = make_spec()
    _finish(sessions, spec, error=0.2)
    (row,) = client.get("/v1/leaderboard").json()["items"]
    assert (row["group"], row["spec"], row["label"], row["n"]) == (digest(spec), canonical(spec), "erm", 2)
    assert set(row["metrics"]) == {"error", "nll", FGSM}
    assert row["metrics"]["error"] == {
        "mean": pytest.approx(0.205),
        "std": pytest.approx(0.01 / 2**0.5),
        "n": 2,
    }


def test_metrics_filters_and_selections_narrow_the_answer(client: TestClient, sessions: Sessions) -> None:
    _finish(sessions, make_spec(), error=0.2)
    _finish(sessions, make_spec(mixing={"kind": "input_mixup", "alpha": 1.0}), error=0.1)
    only = client.get("/v1/leaderboard", params={"mixing": "erm", "metric": "nll", "data": "digits", "model": "mlp"})
    (row,) = only.json()["items"]
    assert (row["label"], set(row["metrics"])) == ("erm", {"error", "nll"})
    oracle = client.get("/v1/leaderboard", params={"selection": "best_on_test"}).json()["items"]
    assert [row["metrics"] for row in oracle] == [{"error": {"mean": 0.0, "std": 0.0, "n": 2}}] * 2


def test_pages_follow_the_cursor(client: TestClient, sessions: Sessions) -> None:
    for alpha, error in ((0.5, 0.3), (1.0, 0.1), (2.0, 0.2)):
        _finish(sessions, make_spec(mixing={"kind": "input_mixup", "alpha": alpha}), error=error)
    labels, cursor = [], None
    while True:
        page = client.get("/v1/leaderboard", params={"limit": 1} | ({"cursor": cursor} if cursor else {})).json()
        labels += [row["label"] for row in page["items"]]
        cursor = page["next"]
        if cursor is None:
            break
    assert labels == ["input_mixup alpha=1", "input_mixup alpha=2", "input_mixup alpha=0.5"]


@pytest.mark.parametrize(
    ("parameters", "place"),
    [
        ({"metric": "accuracy"}, ["query", "metric", 0]),
        ({"sort": "error; DROP TABLE runs"}, ["query", "sort"]),
        ({"sort": "fgsm_accuracy@pixel:256/255"}, ["query", "sort"]),
        ({"dataset": "digits"}, ["query", "dataset"]),
        ({"data": "../x"}, ["query", "data"]),
        ({"limit": "0"}, ["query", "limit"]),
        ({"cursor": "bm9wZQ=="}, ["query", "cursor"]),
        ({"cursor": "é"}, ["query", "cursor"]),
        ({"selection": "best"}, ["query", "selection"]),
    ],
)
def test_a_bad_query_is_refused_at_its_place(
    client: TestClient, parameters: dict[str, str], place: list[object]
) -> None:
    response = client.get("/v1/leaderboard", params=parameters)
    assert response.status_code == 422
    assert response.json()["errors"][0]["loc"] == place


def test_an_unknown_metric_is_told_the_known_ones(client: TestClient) -> None:
    (error,) = client.get("/v1/leaderboard", params={"sort": "accuracy"}).json()["errors"]
    assert "error, nll, brier" in error["allowed"]
