"""Filters, ties, marks and formats of the leaderboard over REST."""

import csv
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text

from api.boards import MixingFilters
from mmix.spec.experiment import ExperimentSpec
from mmix.spec.facets import fields
from mmix.store import endings, experiments, leases
from mmix.store.experiments import Wish
from mmix.store.sessions import Sessions
from tests.conftest import make_spec, new_worker

FGSM = "fgsm_accuracy@pixel:8/255"
BOARD = "/v1/leaderboard"
PUBLISHED = "verma2019-table-1a-preactresnet18-input-mixup-1-error"


def _finish(
    sessions: Sessions, spec: ExperimentSpec, errors: list[float], *, tags: tuple[str, ...] = (), **more: float
) -> None:
    """A finished run of the spec for each error, from seed 0 on; these have the other metrics, too."""
    with sessions.begin() as session:
        worker_id = new_worker(session, devices=len(errors), data={"cifar10": None})
        wish = Wish(seeds=tuple(range(len(errors))), tags=tags)
        made = experiments.create(session, owner="local", spec=spec, wish=wish)
        for run in experiments.get(session, owner="local", experiment_id=made).runs:
            lease = leases.claim(
                session, run_id=run.id, worker_id=worker_id, host="here", queues=("any",), lease_seconds=60
            )
            assert lease is not None
            found = {"last": {"error": errors[run.seed], FGSM: 0.7, **more}}
            endings.succeed(session, lease, found=found, provenance={"device": "cpu"}, seconds=1.0)


def _mixup(alpha: float) -> ExperimentSpec:
    return make_spec(mixing={"kind": "input_mixup", "alpha": alpha}, training={"epochs": 3, "loss": "bce"})


@pytest.fixture
def board(sessions: Sessions) -> None:
    """Two groups that are tied, and one that is worse than both."""
    _finish(sessions, _mixup(1), [0.100, 0.102, 0.104], tags=("night",), masking_suspected=1.0)
    _finish(sessions, _mixup(2), [0.101, 0.103, 0.105], forward_backward_passes=600.0, masking_suspected=0.0)
    _finish(sessions, make_spec(), [0.3, 0.301])


@pytest.mark.usefixtures("board")
@pytest.mark.parametrize(
    ("asked", "labels"),
    [
        ({"alpha": "2.0"}, ["input_mixup alpha=2"]),
        ({"sharing": "batch"}, ["input_mixup alpha=1", "input_mixup alpha=2"]),
        ({"loss": "ce"}, ["erm"]),
        ({"epochs": "3", "tag": "night"}, ["input_mixup alpha=1"]),
        ({"owner": "local", "device": "cpu", "min_n": "3"}, ["input_mixup alpha=1", "input_mixup alpha=2"]),
        ({"where": ["training.optimiser.lr:0.1", "model.hidden:16"], "min_n": "2", "mixing": "erm"}, ["erm"]),
        ({"device": "cuda"}, []),
        ({"owner": "ann"}, []),
        ({"data": "folder:pets"}, []),
    ],
)
def test_filters_choose_groups(client: TestClient, asked: dict[str, Any], labels: list[str]) -> None:
    assert [row["label"] for row in client.get(BOARD, params=asked).json()["items"]] == labels


def test_every_parameter_of_every_mixing_method_can_be_filtered_by() -> None:
    parameters = {path.split(".")[1] for path in fields() if path.startswith("mixing.")} - {"kind"}
    assert set(MixingFilters.model_fields) == parameters


@pytest.mark.parametrize(
    ("asked", "place", "allowed"),
    [
        ({"mixing": "mixup"}, ["query", "mixing"], "input_mixup"),
        ({"model": "resnet"}, ["query", "model"], "preact_resnet"),
        ({"data": "cifar"}, ["query", "data"], "cifar10"),
        ({"loss": "hinge"}, ["query", "loss"], "ce, bce, mse"),
        ({"alpha": "much"}, ["query", "alpha"], "a number"),
        ({"alpha": "nan"}, ["query", "alpha"], "a number"),
        ({"layers": "0,x"}, ["query", "layers"], "several with commas between them"),
        ({"where": "training.lr:0.1"}, ["query", "where", 0], "training.optimiser.lr"),
        ({"where": "training.optimiser.kind:lion"}, ["query", "where", 0], "sgd, adam"),
        ({"device": "tpu"}, ["query", "device"], "'cpu' or 'cuda'"),
        ({"dataset": "digits"}, ["query", "dataset"], "data, model"),
        ({"format": "excel"}, ["query", "format"], "latex"),
        ({"format": "csv", "published": "true"}, ["query", "published"], "markdown"),
        ({"cursor": "WzEsICJhIiwgbnVsbCwgWzEsIE5hTl1d"}, ["query", "cursor"], "the `next` of the page before"),
    ],
)
def test_what_is_unknown_is_refused_with_what_is_known(
    client: TestClient, asked: dict[str, str], place: list[object], allowed: str
) -> None:
    response = client.get(BOARD, params=asked)
    (error,) = response.json()["errors"]
    assert (response.status_code, error["loc"]) == (422, place)
    assert allowed in error["allowed"]


@pytest.mark.usefixtures("board")
def test_a_row_has_intervals_best_seeds_and_cost(client: TestClient) -> None:
    row = client.get(BOARD).json()["items"][1]
    # t(0.975, 2) = 4.3027 times 0.002 / sqrt(3)
    assert row["intervals"]["error"] == pytest.approx([0.103 - 0.0049683, 0.103 + 0.0049683], abs=1e-6)
    assert (row["best"]["error"], row["best"][FGSM]) == ({"seed": 0, "value": 0.101}, {"seed": 0, "value": 0.7})
    assert set(row["metrics"]) == {"error", FGSM}
    cost = row["cost"]
    assert (cost["epochs"], cost["forward_backward_passes"]) == (3, 600.0)
    assert cost["device_seconds"] >= 0


@pytest.mark.usefixtures("board")
def test_rows_are_tied_where_their_intervals_overlap_also_across_pages(client: TestClient) -> None:
    whole = client.get(BOARD).json()["items"]
    assert [(row["tied"], row["tied_with_previous"]) for row in whole] == [(True, False), (True, True), (False, False)]
    first = client.get(BOARD, params={"limit": 1}).json()
    second = client.get(BOARD, params={"limit": 1, "cursor": first["next"]}).json()
    third = client.get(BOARD, params={"limit": 1, "cursor": second["next"]}).json()
    rows = [*second["items"], *third["items"]]
    assert [(row["tied"], row["tied_with_previous"]) for row in rows] == [(True, True), (False, False)]
    assert third["next"] is None


@pytest.mark.usefixtures("board")
def test_an_attack_is_never_shown_without_what_is_known_of_its_gradients(client: TestClient) -> None:
    rows = client.get(BOARD, params={"metric": FGSM}).json()["items"]
    told = [{"suspected": 1.0, "n": 3}, {"suspected": 0.0, "n": 3}, {"suspected": None, "n": 0}]
    assert [row["masking"] for row in rows] == told
    assert "masking" not in client.get(BOARD, params={"metric": "error"}).json()["items"][0]
    (head, *lines) = csv.reader(client.get(BOARD, params={"sort": FGSM, "format": "csv"}).text.splitlines())
    found = [line[head.index("masking_suspected")] for line in lines]
    assert sorted(found) == ["", "0.0", "1.0"]
    in_markdown = client.get(BOARD, params={"metric": FGSM, "format": "markdown"}).text
    assert ["70.00 ± 0.00**†" in in_markdown, "70.00 ± 0.00**‡" in in_markdown] == [True, True]
    in_latex = client.get(BOARD, params={"metric": FGSM, "format": "latex"}).text
    assert [r"}$^{\dagger}$" in in_latex, r"}$^{\ddagger}$" in in_latex] == [True, True]


@pytest.mark.usefixtures("board")
def test_a_csv_has_all_groups_in_fractions(client: TestClient) -> None:
    response = client.get(BOARD, headers={"Accept": "text/csv"})
    assert response.headers["content-type"].startswith("text/csv")
    (head, *lines) = csv.reader(response.text.splitlines())
    rows = [dict(zip(head, line, strict=True)) for line in lines]
    assert [row["label"] for row in rows] == ["input_mixup alpha=1", "input_mixup alpha=2", "erm"]
    assert (rows[0]["epochs"], rows[0]["loss"], rows[0]["n"], rows[0]["error.best_seed"]) == ("3", "bce", "3", "0")
    assert float(rows[0]["error.mean"]) == pytest.approx(0.102)
    assert rows[2]["forward_backward_passes"] == ""
    page = client.get(BOARD, params={"limit": 1}).json()
    rest = client.get(BOARD, params={"format": "csv", "cursor": page["next"], "limit": 1}).text
    assert [line.split(",")[1] for line in rest.splitlines()] == ["label", "input_mixup alpha=2"]


@pytest.mark.usefixtures("board")
def test_markdown_shows_per_cent_the_best_in_bold_and_what_is_tied(client: TestClient) -> None:
    response = client.get(BOARD, params={"format": "markdown", "metric": "nll"})
    assert response.headers["content-type"].startswith("text/markdown")
    lines = response.text.splitlines()
    assert lines[2].startswith("| input_mixup alpha=1 | digits, mlp | 3 | **10.20 ± 0.20**≈ | - | 9.70 to 10.70 | 3 |")
    assert lines[4].startswith("| erm | digits, mlp | 2 | 30.05 ± 0.07 | - |")
    assert lines[-1] == "≈ The 95 % interval overlaps that of the best row."


@pytest.mark.usefixtures("board")
def test_latex_is_a_whole_tabular_of_booktabs(client: TestClient) -> None:
    found = client.get(BOARD, params={"format": "latex", "metric": FGSM}).text
    assert found.count("{") == found.count("}")
    assert [found.count(each) for each in (r"\toprule", r"\midrule", r"\bottomrule", r"\end{tabular}")] == [1] * 4
    body = found.split(r"\midrule")[1].split(r"\bottomrule")[0].strip().splitlines()
    assert [line.count("&") for line in body] == [found.split(r"\toprule")[1].split(r"\\")[0].count("&")] * 3
    assert body[0].startswith(r"input\_mixup alpha=1 & digits, mlp & 3 & \textbf{10.20 $\pm$ 0.20}$^{\approx}$ & ")
    assert r"fgsm\_accuracy@pixel:8/255 [\%]" in found


def test_published_figures_stand_beside_the_same_method_and_network(client: TestClient, sessions: Sessions) -> None:
    spec = make_spec(
        model={"kind": "preact_resnet"}, data={"kind": "cifar10"}, mixing={"kind": "input_mixup", "alpha": 1}
    )
    _finish(sessions, spec, [0.1, 0.11])
    assert "published" not in client.get(BOARD).json()["items"][0]
    (row,) = client.get(BOARD, params={"published": "true"}).json()["items"]
    (figure,) = [each for each in row["published"] if each["id"] == PUBLISHED]
    assert figure["z"] > 1
    assert (figure["same_setting"], figure["same_budget"]) == (False, False)
    in_latex = client.get(BOARD, params={"published": "true", "format": "latex"}).text
    assert rf"\textit{{{100 * figure['value']:.2f}" in in_latex


def test_a_withdrawn_result_counts_no_more(client: TestClient, sessions: Sessions) -> None:
    _finish(sessions, make_spec(), [0.1, 0.3])
    with sessions.begin() as session:
        run_id = session.scalar(text("SELECT id FROM runs WHERE seed = 0"))
    told = client.post(f"/v1/runs/{run_id}/withdraw", json={"reason": "wrong labels"})
    assert (told.status_code, told.json()["results"], told.json()["withdrawn"]) == (200, {}, "wrong labels")
    (row,) = client.get(BOARD).json()["items"]
    assert row["metrics"]["error"] == {"mean": 0.3, "std": None, "n": 1}
    assert client.post(f"/v1/runs/{run_id}/withdraw", json={"reason": "again"}).status_code == 409
    assert client.post(f"/v1/runs/{run_id}/withdraw", json={"reason": " "}).status_code == 422
