"""Whether workers have the same data."""

import os
import subprocess
import sys
from pathlib import Path

from mmix.cli.clashes import clashes
from mmix.settings import Settings
from mmix.store.sessions import Sessions
from tests.conftest import new_worker

ONE, OTHER = "1" * 64, "2" * 64


def test_one_data_set_with_two_checksums_is_told_with_both_and_who_has_them() -> None:
    shelves = [
        ("ann", {"cifar10": ONE, "svhn": ONE}),
        ("bob", {"cifar10": OTHER, "svhn": ONE}),
        ("eve", {"cifar10": ONE}),
    ]
    assert clashes(shelves) == ["cifar10 is 111111111111 at ann and eve, but 222222222222 at bob"]


def test_an_unknown_checksum_differs_from_none() -> None:
    assert clashes([("ann", {"cifar10": ONE}), ("bob", {"cifar10": None}), ("eve", {"svhn": OTHER})]) == []


def test_without_workers_nothing_differs() -> None:
    assert clashes([]) == []


def test_the_doctor_names_both_workers(settings: Settings, sessions: Sessions) -> None:
    with sessions.begin() as session:
        one, other = (new_worker(session, data={"cifar10": checksum}) for checksum in (ONE, OTHER))
    assert settings.database_url is not None
    found = subprocess.run(
        [str(Path(sys.executable).parent / "mmix"), "doctor"],
        capture_output=True,
        text=True,
        env={**os.environ, "MMIX_HOME": str(settings.home), "MMIX_DATABASE_URL": settings.database_url},
        timeout=90,
    )
    assert found.returncode == 1
    (said,) = [line for line in found.stdout.splitlines() if "workers: 2 alive" in line]
    assert "cifar10 is " in said
    assert f"111111111111 at here ({one})" in said
    assert f"222222222222 at here ({other})" in said
    assert "results from them can't be compared" in found.stdout
