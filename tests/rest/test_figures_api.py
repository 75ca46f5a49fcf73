"""Figures over REST and from a terminal, from rows and artifacts."""

import io
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from fastapi.testclient import TestClient
from PIL import Image

from mmix.cli import figure, main
from mmix.client import Client
from mmix.settings import Settings
from mmix.spec.experiment import canonical
from mmix.store import endings, events, leases
from mmix.store.events import Batch, Point
from mmix.store.sessions import Sessions
from tests.conftest import make_spec, new_worker

BINS = {"low": [0.8], "high": [0.9], "count": [30], "confidence": [0.85], "accuracy": [0.8]}
RELIABILITY = {"kind": "reliability", "version": 1, "units": {}, "ece": {"error": 0.05, **BINS}}
ARMS = [
    {"name": "baseline", "replace": {}},
    {"name": "mixed", "replace": {"mixing": {"kind": "input_mixup", "alpha": 1.0}}},
]
UNKNOWN = "01970000-0000-7000-8000-000000000000"


@pytest.fixture
def comparison(client: TestClient, sessions: Sessions, settings: Settings) -> dict[str, Any]:
    """A comparison of two arms over two seeds, all of whose runs have succeeded."""
    body = {"name": "c", "base": canonical(make_spec()), "arms": ARMS, "seeds": [0, 1], "baseline": "baseline"}
    made: dict[str, Any] = client.post("/v1/comparisons", json=body).json()
    for arm in made["arms"]:
        for run in arm["runs"]:
            _succeed(sessions, settings, UUID(run["id"]), error=0.1 + 0.01 * run["seed"])
    return made


def _succeed(sessions: Sessions, settings: Settings, run_id: UUID, *, error: float) -> None:
    with sessions.begin() as session:
        lease = leases.claim(
            session, run_id=run_id, worker_id=new_worker(session), host="here", queues=("any",), lease_seconds=60
        )
        assert lease is not None
    with sessions.begin() as session:
        events.record(session, lease, Batch(points=[Point("error", 1, 0.5), Point("error", 2, error)]))
    folder = Path(settings.artifacts_place) / "runs" / str(run_id) / str(lease.attempt) / "artifacts"
    folder.mkdir(parents=True)
    (folder / "reliability.json").write_text(json.dumps(RELIABILITY))
    last = {"error": error, "nll": 3 * error, "fgsm_accuracy@pixel:8/255": 0.4, "forward_backward_passes": 100.0}
    with sessions.begin() as session:
        told = {"artifacts": ["reliability.json", "hidden.json"], "masking_suspected": True}
        endings.succeed(session, lease, found={"last": last}, provenance=told, seconds=1.0)


@pytest.mark.parametrize("kind", ["curves", "error_nll", "reliability", "eps", "cost"])
def test_a_comparison_is_drawn_with_all_its_arms(client: TestClient, comparison: dict[str, Any], kind: str) -> None:
    answer = client.get(f"/v1/comparisons/{comparison['id']}/figure.svg", params={"kind": kind})
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("image/svg+xml")
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    plain = answer.text.replace("\u00a0", " ")
    assert [name for name in ("baseline", "mixed", comparison["id"]) if name not in plain] == []
    assert [run["id"] for arm in comparison["arms"] for run in arm["runs"] if run["id"] not in plain] == []


def test_an_arm_a_metric_and_a_cost_can_be_chosen(client: TestClient, comparison: dict[str, Any]) -> None:
    asked: dict[str, str] = {"kind": "cost", "metric": "nll", "by": "epochs", "arm": "mixed"}
    answer = client.get(f"/v1/comparisons/{comparison['id']}/figure.svg", params=asked)
    assert ("test NLL [nats]" in answer.text, "epochs of a run" in answer.text) == (True, True)
    assert ("mixed (" in answer.text, "baseline (" in answer.text) == (True, False)


def test_a_run_is_drawn_as_png_with_its_id(client: TestClient, comparison: dict[str, Any]) -> None:
    run = comparison["arms"][0]["runs"][0]["id"]
    answer = client.get(f"/v1/runs/{run}/figure.png", params={"kind": "eps"})
    assert answer.headers["content-type"] == "image/png"
    source = json.loads(Image.open(io.BytesIO(answer.content)).info["Source"])
    assert (source["runs"], source["digests"]) == ([run], [comparison["arms"][0]["digest"]])


@pytest.mark.parametrize("place", ["runs", "comparisons"])
@pytest.mark.parametrize("kind", ["spectra", "hidden", "rotation", "alpha"])
def test_what_can_not_be_drawn_is_refused_with_what_can(
    client: TestClient, comparison: dict[str, Any], place: str, kind: str
) -> None:
    identity = {"runs": comparison["arms"][0]["runs"][0]["id"], "comparisons": comparison["id"]}[place]
    answer = client.get(f"/v1/{place}/{identity}/figure.svg", params={"kind": kind})
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")
    (problem,) = answer.json()["errors"]
    assert (problem["loc"], problem["given"]) == (["query", "kind"], repr(kind))
    drawable = {"curves", "error_nll", "reliability", "eps", "cost"}
    assert drawable <= set(problem["allowed"].split(", ")) <= drawable | {"hidden"}


@pytest.mark.parametrize("place", ["runs", "comparisons"])
def test_what_is_not_there_is_not_found_and_an_unknown_kind_is_told(client: TestClient, place: str) -> None:
    path = f"/v1/{place}/{UNKNOWN}/figure"
    assert client.get(f"{path}.svg", params={"kind": "curves"}).status_code == 404
    answer = client.get(f"{path}.svg", params={"kind": "pie"})
    assert answer.status_code == 422
    assert "'boundary', 'toy'" in answer.json()["errors"][0]["allowed"]
    assert client.get(f"{path}.gif", params={"kind": "curves"}).status_code == 422


def test_a_comparison_without_results_has_no_figure_yet(client: TestClient) -> None:
    body = {"name": "c", "base": canonical(make_spec()), "arms": ARMS, "seeds": [0, 1], "baseline": "baseline"}
    made = client.post("/v1/comparisons", json=body).json()
    for kind in ("curves", "cost"):
        answer = client.get(f"/v1/comparisons/{made['id']}/figure.svg", params={"kind": kind})
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["allowed"] == "none yet"


@pytest.fixture
def mmix(client: TestClient, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """The command, in this process, with a service that is reached without a network; what it writes."""

    @contextmanager
    def service() -> Iterator[Client]:
        made = Client("http://testserver")
        made._http = client
        yield made

    def run(*arguments: str) -> str:
        out = tmp_path / "out.svg"
        monkeypatch.setattr(sys, "argv", ["mmix", "figure", *arguments, "--out", str(out)])
        with pytest.raises(SystemExit) as ended:
            main()
        assert ended.value.code in (0, None)
        return out.read_text().replace("\u00a0", " ")

    monkeypatch.setattr(figure, "service_client", service)
    return run


@pytest.mark.parametrize("kind", ["curves", "reliability", "eps", "cost", "error_nll"])
def test_the_command_draws_what_the_service_draws(
    client: TestClient, mmix: Any, comparison: dict[str, Any], kind: str
) -> None:
    served = client.get(f"/v1/comparisons/{comparison['id']}/figure.svg", params={"kind": kind})
    assert mmix(kind, "--comparison", comparison["id"]) == served.text.replace("\u00a0", " ")


def test_the_command_draws_runs_of_one_spec_as_one_arm(mmix: Any, comparison: dict[str, Any]) -> None:
    first, second = (run["id"] for run in comparison["arms"][1]["runs"])
    drawn = mmix("curves", "--run", first, "--run", second, "--title", "Two seeds")
    assert ("input_mixup alpha=1 (n = 2)" in drawn, "Two seeds" in drawn) == (True, True)
