"""Who works, and what waits for whom."""

from typing import Any
from uuid import UUID

import pytest
from fastapi.testclient import TestClient

from mmix.spec.experiment import canonical
from mmix.store import leases
from mmix.store.sessions import Sessions
from tests.conftest import make_spec, new_worker


def post(client: TestClient, *, devices: int = 1, data: tuple[str, ...] = (), **wish: object) -> dict[str, Any]:
    kind, *ood = data or ("digits",)
    named = {"kind": "folder", "name": "pets"} if kind == "folder" else {"kind": kind}
    strange = [{"kind": each} for each in ood]
    spec = canonical(
        make_spec(training={"epochs": 2, "devices": devices}, data=named, evaluation={"attacks": [], "ood": strange})
    )
    made: dict[str, Any] = client.post("/v1/experiments", json={"spec": spec, "seeds": [0], **wish}).json()
    return made


def reasons(client: TestClient) -> list[str]:
    return [run["reason"] for run in client.get("/v1/queue").json()["items"]]


def test_live_workers_are_listed_with_their_devices(client: TestClient, sessions: Sessions) -> None:
    assert client.get("/v1/workers").json() == {"items": []}
    with sessions.begin() as session:
        worker = new_worker(session, devices=2)
    (found,) = client.get("/v1/workers").json()["items"]
    assert (found["id"], found["devices"], found["busy"]) == (str(worker), ["cpu-0", "cpu-1"], 0)
    assert (found["kinds"], found["draining"]) == (["any", "cpu"], False)


@pytest.mark.parametrize(
    ("devices", "wish", "reason"),
    [
        (1, {}, "is about to start"),
        (1, {"device": "cuda"}, "no worker has a device of kind 'cuda'"),
        (3, {}, "no worker has 3 devices of kind 'any'; the largest has 2"),
    ],
)
def test_the_queue_says_what_a_run_lacks(
    client: TestClient, sessions: Sessions, devices: int, wish: dict[str, Any], reason: str
) -> None:
    post(client, devices=devices, **wish)
    assert reasons(client) == ["no worker is alive: start one"]
    with sessions.begin() as session:
        new_worker(session, devices=2)
    assert reasons(client) == [reason]


@pytest.mark.parametrize(
    ("data", "wish", "reason"),
    [
        (("cifar100",), {}, "no worker has cifar100: run `mmix data prepare cifar100` on one"),
        (("folder",), {}, "no worker has folder:pets: run `mmix data prepare folder pets --from DIR` on one"),
        (
            ("mnist", "fashion_mnist", "cifar10"),
            {},
            "no worker has fashion_mnist or mnist: run `mmix data prepare fashion_mnist` and "
            "`mmix data prepare mnist` on one",
        ),
        (
            ("cifar10", "svhn"),
            {},
            "no worker has cifar10 and svhn together: run `mmix data prepare cifar10` and "
            "`mmix data prepare svhn` on one",
        ),
        (
            ("svhn",),
            {"devices": 2},
            "no worker with 2 devices of kind 'any' has svhn: run `mmix data prepare svhn` on one",
        ),
        (("svhn",), {}, "all workers with svhn are busy"),
        (("cifar10",), {}, "is about to start"),
        (("digits", "uniform_noise"), {}, "is about to start"),
    ],
)
def test_the_queue_says_what_data_no_worker_has(
    client: TestClient, sessions: Sessions, data: tuple[str, ...], wish: dict[str, Any], reason: str
) -> None:
    held = UUID(post(client)["runs"][0]["id"])
    with sessions.begin() as session:
        new_worker(session, devices=2, data={"cifar10": None})
        busy = new_worker(session, data={"svhn": "a" * 64})
        leases.claim(session, run_id=held, worker_id=busy, host="here", queues=("any",), lease_seconds=60)
    made = post(client, data=data, **wish)
    assert made["state"] == "queued"
    assert reasons(client) == [reason]


def test_workers_are_listed_with_their_data(client: TestClient, sessions: Sessions) -> None:
    with sessions.begin() as session:
        new_worker(session, data={"svhn": None, "folder:pets": "a" * 64})
    (found,) = client.get("/v1/workers").json()["items"]
    assert found["data"] == {"svhn": None, "folder:pets": "a" * 64}


def test_the_queue_is_in_the_order_in_which_it_is_looked_at(client: TestClient) -> None:
    later, first = post(client), post(client, priority=5)
    blocked = post(client, after=[later["id"]], priority=-5)
    found = client.get("/v1/queue").json()
    assert [run["experiment"] for run in found["items"]] == [first["id"], later["id"], blocked["id"]]
    assert found["items"][2]["reason"] == "waits for 1 other run to succeed"
    assert found["more"] is False
    assert client.get("/v1/queue", params={"limit": 2}).json()["more"] is True


def test_a_drained_worker_takes_nothing_more(client: TestClient, sessions: Sessions) -> None:
    with sessions.begin() as session:
        worker = new_worker(session)
    (found,) = client.post(f"/v1/workers/{worker}/drain").json()["items"]
    assert found["draining"] is True
    run = UUID(post(client)["runs"][0]["id"])
    assert reasons(client) == ["no worker is alive: start one"]
    with sessions.begin() as session:
        claimed = leases.claim(session, run_id=run, worker_id=worker, host="here", queues=("any",), lease_seconds=60)
    assert claimed is None
    assert client.post(f"/v1/workers/{run}/drain").status_code == 404
