"""The GPU's benchmark must run where little is installed, and nobody may find out on the day that there is a GPU."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from benchmarks.gpu_parts import PARTS
from benchmarks.gpu_subject import stored
from mmix.errors import DataMissing

BLOCKED = ("scipy", "safetensors", "sklearn", "torchmetrics", "pydantic_settings", "structlog", "typer", "rich")
WITHOUT = f"""
import runpy, sys
from importlib.machinery import PathFinder

class Bare:  # as if they were not installed: whoever asks whether a package is there hears no
    @staticmethod
    def find_spec(name, path=None, target=None):
        return None if name.partition(".")[0] in {BLOCKED!r} else PathFinder.find_spec(name, path, target)

sys.meta_path[sys.meta_path.index(PathFinder)] = Bare
sys.argv = ["gpu", *sys.argv[1:]]
runpy.run_module("benchmarks.gpu", run_name="__main__")
"""


def test_the_rehearsal_runs_every_part_with_torch_and_numpy_alone(tmp_path: Path) -> None:
    command = [sys.executable, "-c", WITHOUT, "--quick", "--device", "cpu", "--out", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parents[2], check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads((tmp_path / "gpu.json").read_text())
    assert [note for note in found["notes"] if "failed" in note] == []
    assert len(found["figures"]) >= len(PARTS) - 1
    assert all(figure["goal"] is None for figure in found["figures"])
    assert (tmp_path / "gpu.md").read_text().startswith("## gpu\n")


@pytest.mark.parametrize("packed", [True, False])
def test_prepared_data_and_npz_files_are_read_without_their_writers(packed: bool, tmp_path: Path) -> None:
    x, y = torch.randint(0, 256, (6, 3, 8, 8), dtype=torch.uint8), torch.arange(6) % 3
    if packed:
        tensors = {"train.x": x, "train.y": y, "test.x": x[:2].clone(), "test.y": y[:2].clone()}
        save_file(tensors, tmp_path / "images.safetensors", {"format": "mmix-images-1"})
    else:
        pixels = x.permute(0, 2, 3, 1).numpy()
        np.savez(tmp_path / "cifar10.npz", x_train=pixels, y_train=y, x_test=pixels[:2], y_test=y[:2])
    data = stored(tmp_path)
    assert torch.equal(data.train.x, x)
    assert torch.equal(data.test.y, y[:2])
    assert (data.shape, len(data.classes)) == ((3, 8, 8), 3)


def test_a_folder_without_images_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataMissing, match=r"neither a \.npz file"):
        stored(tmp_path)
