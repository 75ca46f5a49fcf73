"""The servers of one machine: real, private, durable, and gone with their parent."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest
import redis
from sqlalchemy import create_engine, text

from mmix import embedded
from mmix.errors import SetupError
from mmix.settings import Settings
from tests.conftest import temporary_home
from tests.fleet.conftest import until


def _redis(url: str) -> "redis.Redis":
    return redis.Redis(unix_socket_path=urlsplit(url).path)


def test_both_servers_keep_their_data_over_a_restart() -> None:
    with temporary_home() as home:
        for expected in (0, 1, 2):
            with embedded.services(Settings(home=home)) as served:
                engine = create_engine(served.sqlalchemy_url())
                with engine.begin() as connection, _redis(served.broker_url()) as client:
                    connection.execute(text("CREATE TABLE IF NOT EXISTS seen (n int)"))
                    assert connection.scalar(text("SELECT count(*) FROM seen")) == expected
                    connection.execute(text("INSERT INTO seen VALUES (1)"))
                    assert int(client.get("seen") or 0) == expected
                    client.incr("seen")
                engine.dispose()


def test_redis_is_durable_never_evicts_and_listens_on_no_port() -> None:
    with temporary_home() as home, embedded.redis_server(home / "redis") as url, _redis(url) as client:
        assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
        assert client.config_get("appendonly") == {"appendonly": "yes"}
        assert client.config_get("port") == {"port": "0"}


def test_redis_runs_in_a_home_whose_path_is_too_long_for_a_socket() -> None:
    with temporary_home() as home:
        deep = home / ("d" * 120)
        with embedded.redis_server(deep) as url, _redis(url) as client:
            assert client.ping()


def test_a_server_that_is_named_is_not_started() -> None:
    with temporary_home() as home:
        named = Settings(home=home, database_url="postgresql://elsewhere/db", redis_url="redis://elsewhere/0")
        with embedded.services(named) as served:
            assert (served.database_url, served.redis_url) == (named.database_url, named.redis_url)
        assert list(home.iterdir()) == []


def test_one_process_holds_a_home() -> None:
    with (
        temporary_home() as home,
        embedded.occupied(home),
        pytest.raises(SetupError, match=f"in use by process {os.getpid()}"),
        embedded.occupied(home),
    ):
        pass


def test_a_child_ends_with_its_parent_even_when_that_is_killed(tmp_path: Path) -> None:
    code = (
        "import subprocess, sys, time\n"
        "from mmix.parentage import bound_command\n"
        "child = subprocess.Popen(bound_command(sys.executable, '-c', 'import time; time.sleep(60)'))\n"
        f"open({str(tmp_path / 'pid')!r}, 'w').write(str(child.pid))\n"
        "time.sleep(60)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", code])
    until(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text(), seconds=10, what="a child")
    child = psutil.Process(int((tmp_path / "pid").read_text()))
    time.sleep(0.3)  # the child has to become its command first
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()
    until(
        lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE, seconds=5, what="the end of the child"
    )
