"""What ranks leave for each other: the reason of an attempt's end is the one that came first."""

import subprocess
import sys
from pathlib import Path

import pytest

from worker import ranks, wire
from worker.ranks import Place, Presence

BROKEN = wire.Failed(failure_class="error", message="RuntimeError: Connection closed by peer", error="Traceback")
MEMORY = wire.Failed(failure_class="out_of_memory", message="The device ran out of memory", error="Traceback")
LIVES = """
import sys, time
from pathlib import Path
from worker.ranks import Place, Presence
presence = Presence(Place(rank=1, ranks=2, folder=Path(sys.argv[1])))
print("here", flush=True)
sys.stdin.readline()
presence.leave()
print("left", flush=True)
sys.stdin.readline()
"""


@pytest.fixture
def other(tmp_path: Path) -> "subprocess.Popen[str]":
    """Rank 1 of 2, alive; it leaves when it is sent a line."""
    command = [sys.executable, "-c", LIVES, str(tmp_path)]
    process = subprocess.Popen(command, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == "here\n"
    return process


def _place(folder: Path, rank: int = 0) -> Place:
    return Place(rank=rank, ranks=2, folder=folder)


def _leave_word(folder: Path, failure: wire.Failed, *, rank: int = 0) -> wire.Failed | None:
    return ranks.leave_word(_place(folder, rank), failure, patience_seconds=0.5)


def test_an_error_that_follows_from_a_killed_rank_is_nobodys_failure(
    tmp_path: Path, other: "subprocess.Popen[str]"
) -> None:
    other.kill()
    assert _leave_word(tmp_path, BROKEN) is None
    assert ranks.word(tmp_path) is None
    other.communicate()


def test_the_word_of_the_rank_that_failed_first_counts_and_names_it(tmp_path: Path) -> None:
    named = wire.Failed("out_of_memory", "Rank 1 of 2: The device ran out of memory", "Traceback")
    assert _leave_word(tmp_path, MEMORY, rank=1) == named
    assert _leave_word(tmp_path, BROKEN) == named
    assert ranks.word(tmp_path) == named


def test_an_error_while_the_others_are_well_is_told_as_it_is(tmp_path: Path, other: "subprocess.Popen[str]") -> None:
    assert _leave_word(tmp_path, BROKEN) == BROKEN
    other.communicate("leave\n")


def test_a_rank_that_has_left_was_not_killed(tmp_path: Path, other: "subprocess.Popen[str]") -> None:
    other.communicate("leave\n")
    assert _leave_word(tmp_path, BROKEN) == BROKEN


def test_ranks_are_gone_when_the_last_one_is_dead(tmp_path: Path, other: "subprocess.Popen[str]") -> None:
    assert not ranks.all_gone(tmp_path)
    other.kill()
    other.communicate()
    assert ranks.all_gone(tmp_path)


def test_the_others_are_given_the_order_of_rank_0(tmp_path: Path) -> None:
    order = wire.Begin(
        spec={"version": 1},
        seed=3,
        device="cpu",
        threads=1,
        data="/data",
        checkpoints="/checkpoints",
        artifacts="/artifacts",
        scratch="/scratch",
        resume={"/checkpoints/epoch-000001.safetensors": "ab"},
        deadline=1.0,
    )
    ranks.pass_on(_place(tmp_path), order)
    assert ranks.await_order(_place(tmp_path, rank=1)) == order


def test_the_place_of_a_process_is_what_torch_says_and_alone_without_it() -> None:
    socket = "/somewhere/supervisor.sock"
    assert Place.of(socket, {"RANK": "1", "WORLD_SIZE": "2"}) == Place(rank=1, ranks=2, folder=Path("/somewhere"))
    assert Place.of(socket, {}) == Place(rank=0, ranks=1, folder=Path("/somewhere"))


def test_a_presence_ends_with_its_leaving(tmp_path: Path) -> None:
    presence = Presence(_place(tmp_path))
    assert [path.name for path in tmp_path.iterdir()] == ["rank-0"]
    presence.leave()
    assert list(tmp_path.iterdir()) == []
