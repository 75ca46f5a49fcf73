"""The rules of who may import whom hold, and each of them bites."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("mmix", "api", "worker", "migrations")

# The contract, the file that breaks it, and the line that does.
FAULTS = [
    ("house", "mmix/errors.py", "import mmix.spec.part"),
    ("house", "mmix/attic.py", "ROOM = 'nobody gave it a place'"),
    ("house", "mmix/spec/part.py", "import mmix.mixing.plan"),
    ("doors", "api/limits.py", "import worker.place"),
    ("nobody-looks-at-the-api", "worker/place.py", "import api.limits"),
    ("api-without-torch", "api/limits.py", "import torch"),
    ("api-without-torch", "api/limits.py", "import mmix.broker"),
    ("laboratory-without-register", "mmix/mixing/plan.py", "import sqlalchemy"),
    ("laboratory-without-register", "mmix/run.py", "import mmix.settings"),
    ("register-without-torch", "mmix/store/states.py", "import torch"),
    ("broker-alone", "mmix/broker.py", "import mmix.store.states"),
    ("supervisor-without-torch", "worker/launch.py", "import torch"),
    ("supervisor-without-torch", "worker/dispatcher.py", "import mmix.run"),
    ("trainer-without-register", "worker/train.py", "import mmix.store.states"),
    ("spec-alone", "mmix/spec/part.py", "import mmix.settings"),
    ("answers-without-rows", "mmix/comparison/__init__.py", "import sqlalchemy"),
    ("tables", "api/limits.py", "import mmix.store.tables"),
    ("no-circles", "mmix/store/states.py", "import mmix.store.leases"),
]


def _lint(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).parent / "lint-imports"), "--no-cache", *arguments]
    return subprocess.run(
        command, cwd=folder, capture_output=True, text=True, env={"PATH": "", "PYTHONPATH": str(folder)}
    )


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("house")
    for package in PACKAGES:
        shutil.copytree(ROOT / package, folder / package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / ".importlinter", folder)
    return folder


def test_every_contract_is_kept(copy: Path) -> None:
    found = _lint(copy)
    assert found.returncode == 0, found.stdout
    assert "0 broken" in found.stdout


@pytest.mark.parametrize(("contract", "file", "line"), FAULTS, ids=[f"{c}:{f}" for c, f, _ in FAULTS])
def test_a_deliberate_fault_is_reported(copy: Path, contract: str, file: str, line: str) -> None:
    path = copy / file
    before = path.read_text() if path.exists() else None
    path.write_text(f"{before or ''}\n{line}\n")
    try:
        found = _lint(copy, "--contract", contract)
    finally:
        path.unlink() if before is None else path.write_text(before)
    assert found.returncode == 1, found.stdout
    assert "1 broken" in found.stdout


def test_each_contract_has_a_fault_that_breaks_it() -> None:
    text = (ROOT / ".importlinter").read_text()
    contracts = {line.split(":")[2].rstrip("]") for line in text.splitlines() if line.startswith("[importlinter:")}
    assert contracts == {contract for contract, _, _ in FAULTS}
