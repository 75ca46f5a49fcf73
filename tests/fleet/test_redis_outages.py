"""Redis may be killed or frozen at any moment: no request notices, and no run is lost."""

import os
import signal
from contextlib import ExitStack
from urllib.parse import urlsplit

import pytest
import redis

from mmix import embedded
from mmix.cli.household import opened
from mmix.client import Client
from mmix.settings import Settings
from tests.conftest import make_spec
from tests.fleet.conftest import until

POSTS = 200
STARTED = 2  # runs whose whole way is awaited; the others are then cancelled to save minutes


def _redis_pid(settings: Settings) -> int:
    assert settings.redis_url is not None
    with redis.Redis(unix_socket_path=urlsplit(settings.redis_url).path) as client:
        return int(client.info("server")["process_id"])


def _post_all(client: Client) -> list[str]:
    # Client.submit raises for anything but success, and a success of POST is a 201.
    return [client.submit(make_spec(training={"epochs": 1}), seeds=[seed])["id"] for seed in range(POSTS)]


def _states(client: Client) -> list[str]:
    found = []
    cursor: dict[str, str] = {}
    while True:
        page = client._call("GET", "/v1/experiments", params={"limit": 200, **cursor})
        found += [item["state"] for item in page["items"]]
        if page["next"] is None:
            return found
        cursor = {"cursor": page["next"]}


def _runs_start(client: Client, made: list[str]) -> None:
    until(lambda: _states(client).count("succeeded") >= STARTED, seconds=60, what="the start of the runs")
    for experiment_id in made:
        client.cancel_experiment(experiment_id)
    until(
        lambda: set(_states(client)) <= {"succeeded", "cancelled"}, seconds=30, what="the end of all that was running"
    )
    assert len(_states(client)) == POSTS


@pytest.mark.timeout(240)
def test_posts_are_accepted_while_redis_is_dead_and_run_when_it_is_back(short: Settings) -> None:
    with opened(short, port=0) as house, Client(house.url) as client, ExitStack() as after:
        os.kill(_redis_pid(short), signal.SIGKILL)
        made = _post_all(client)
        assert set(_states(client)) == {"queued"}
        after.enter_context(embedded.redis_server(short.home / "redis"))
        _runs_start(client, made)


@pytest.mark.timeout(240)
def test_posts_are_accepted_while_redis_is_frozen_and_run_when_it_thaws(short: Settings) -> None:
    with opened(short, port=0) as house, Client(house.url) as client:
        frozen = _redis_pid(short)
        os.kill(frozen, signal.SIGSTOP)
        try:
            made = _post_all(client)
            assert set(_states(client)) == {"queued"}
        finally:
            os.kill(frozen, signal.SIGCONT)
        _runs_start(client, made)
