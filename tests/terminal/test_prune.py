"""`mmix prune` counts what nobody needs, and deletes it when it is told to."""

import os
import subprocess
import sys
from pathlib import Path
from uuid import uuid4

from mmix.settings import Settings


def _prune(settings: Settings, *options: str) -> str:
    command = [str(Path(sys.executable).parent / "mmix"), "prune", *options]
    own = {"MMIX_HOME": str(settings.home), "MMIX_DATABASE_URL": str(settings.database_url)}
    environment = {**os.environ, **own, "COLUMNS": "200"}
    return subprocess.run(command, check=True, capture_output=True, text=True, env=environment, timeout=60).stdout


def test_what_no_run_needs_is_counted_first_and_deleted_on_demand(settings: Settings) -> None:
    folder = Path(settings.artifacts_place) / "runs"
    lost = folder / str(uuid4()) / "1" / "checkpoints" / "epoch-000001.safetensors"
    others = folder / "notes" / "1" / "checkpoints" / "mine.txt"
    for path in (lost, others):
        path.parent.mkdir(parents=True)
        path.write_text("12345")
    assert _prune(settings) == "1 files, 5 bytes to delete: run `mmix prune --yes`\n"
    assert lost.exists()
    assert _prune(settings, "--yes") == "1 files, 5 bytes deleted\n"
    assert (lost.exists(), others.exists()) == (False, True)
    assert _prune(settings) == "0 files, 0 bytes to delete\n"
