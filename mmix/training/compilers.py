"""What a machine needs, beyond torch, to compile a network."""

import os
import shutil
import sysconfig
from importlib.util import find_spec
from pathlib import Path

import torch


def missing(device: torch.device) -> str | None:
    """What the machine lacks to compile for a device, and what to do about it; None where it lacks nothing."""
    cpu = device.type == "cpu"
    # For a CPU torch writes kernels in C++; for a GPU triton builds what launches its kernels in C.
    variable, names = ("CXX", ("g++", "clang++")) if cpu else ("CC", ("gcc", "clang"))
    if not any(map(shutil.which, [os.environ.get(variable) or names[0], *names])):
        return f"there is no {'C++' if cpu else 'C'} compiler here: install {names[0]}"
    if not (Path(sysconfig.get_paths()["include"]) / "Python.h").exists():
        return "Python's headers are missing here: install python3-dev"
    if not cpu and find_spec("triton") is None:
        return "triton is missing here: install torch's CUDA build, which brings it"
    return None
