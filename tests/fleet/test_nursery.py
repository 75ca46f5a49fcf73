"""The nursery forks trainers that are like those started cold, and nobody suffers where it dies."""

import os
import platform
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from mmix.cli.household import Household
from mmix.client import Client
from tests.conftest import make_spec, temporary_home
from tests.fleet.conftest import until
from worker import birth
from worker.birth import Forked, Order


def _kernel() -> tuple[int, ...]:
    return tuple(int(number) for number in platform.release().split("-")[0].split(".")[:2])


LONG = make_spec(training={"epochs": 3000})
QUICK = make_spec()


@pytest.fixture(scope="module")
def nursery() -> Iterator[tuple[psutil.Process, str]]:
    """A nursery that serves, and its socket."""
    with temporary_home() as home:
        path = str(home / "socket")
        child = subprocess.Popen([sys.executable, *birth.command(path)], env=birth.environment())
        until(lambda: os.path.exists(path), seconds=30, what="a nursery")
        yield psutil.Process(child.pid), path
        child.kill()
        child.wait()


def order(path: str) -> Order:
    """For a trainer whose supervisor nobody is: it ends at once, with an error in its log."""
    return Order(socket=path + ".nobody", log=path + ".log", environment={"MMIX_TEST_MARK": "here"})


def test_it_starts_no_thread_and_asks_little_of_the_machine_while_it_waits(
    nursery: tuple[psutil.Process, str],
) -> None:
    process, _ = nursery
    assert process.num_threads() == 1


@pytest.mark.skipif(_kernel() < (6, 1), reason="only Linux 6.1 and later gather pages when they are asked to")
def test_its_own_memory_lies_in_large_pages_so_that_a_fork_is_quick(nursery: tuple[psutil.Process, str]) -> None:
    process, _ = nursery
    rollup = Path(f"/proc/{process.pid}/smaps_rollup")

    def large() -> float:
        kilobytes = {line.split()[0]: int(line.split()[1]) for line in rollup.read_text().splitlines()[1:]}
        return kilobytes["AnonHugePages:"] / kilobytes["Anonymous:"]

    until(lambda: large() > 0.5, seconds=20, what="memory in large pages")


def test_a_child_that_fails_is_told_and_the_next_is_born(nursery: tuple[psutil.Process, str]) -> None:
    process, path = nursery
    codes = [Forked.ask(path, order(path)).wait(20) for _ in range(3)]
    assert codes == [1, 1, 1]
    assert "FileNotFoundError" in Path(path + ".log").read_text()
    assert process.children() == []


def test_whoever_says_nonsense_is_hung_up_on_and_others_are_served(nursery: tuple[psutil.Process, str]) -> None:
    _, path = nursery
    with socket.socket(socket.AF_UNIX) as caller:
        caller.connect(path)
        caller.sendall(b"give me a trainer\n")
        assert caller.recv(100) == b""
    assert Forked.ask(path, order(path)).wait(20) == 1


def _is_nursery(process: psutil.Process) -> bool:
    alive = process.status() != psutil.STATUS_ZOMBIE
    return alive and "worker.nursery" in " ".join(process.cmdline())


def _nursery_of(house: Household) -> psutil.Process:
    worker = psutil.Process(house.pids()["worker"])
    found: psutil.Process = until(
        lambda: next((each for each in worker.children() if _is_nursery(each)), None),
        seconds=20,
        what="the worker's nursery",
    )
    return found


def test_trainers_come_from_the_nursery_and_a_dead_one_is_replaced(house: Household, client: Client) -> None:
    nursery = _nursery_of(house)
    until(lambda: os.path.exists(nursery.cmdline()[-1]), seconds=30, what="a nursery that serves")
    made = client.submit(LONG, seeds=[0])["runs"][0]["id"]
    until(lambda: client.run(made)["progress"]["epoch"] >= 2, seconds=30, what="two epochs")
    (trainer,) = nursery.children()
    nursery.send_signal(signal.SIGKILL)
    until(lambda: not trainer.is_running(), seconds=5, what="the end of its trainer")
    until(lambda: client.run(made)["attempt"] == 2, seconds=20, what="the next attempt")
    until(lambda: client.run(made)["progress"]["epoch"] >= 4, seconds=30, what="more epochs")
    client.cancel_run(made)
    assert _nursery_of(house).pid != nursery.pid
    again = client.submit(QUICK, seeds=[7])["runs"][0]["id"]
    until(lambda: client.run(again)["state"] == "succeeded", seconds=30, what="another run")
