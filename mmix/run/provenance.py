"""What results rest on: versions, machine, data."""

import platform

import numpy as np
import torch

import mmix
from mmix.data.dataset import Dataset
from mmix.evaluation.documents import Json
from mmix.spec.experiment import ExperimentSpec
from mmix.training.learner import Learner


def provenance(spec: ExperimentSpec, data: Dataset, learner: Learner, startup_seconds: float) -> dict[str, Json]:
    return {
        **machine(learner.device),
        "devices": learner.ranks.count,
        "precision": spec.training.precision,
        "compile": {**learner.compilation.told()},
        "data": data.name,
        "data_checksum": data.checksum,
        "train_images": len(data.train),
        "test_images": len(data.test),
        "classes": len(data.classes),
        "parameters": sum(parameter.numel() for parameter in learner.model.parameters()),
        "startup_seconds": startup_seconds,
    }


def machine(device: torch.device) -> dict[str, Json]:
    """Versions, the machine, and what of it computes."""
    cuda = device.type == "cuda"
    return {
        "mmix": mmix.__version__,
        "torch": torch.__version__,
        "numpy": np.__version__,
        "python": platform.python_version(),
        "machine": platform.platform(),
        "device": str(device),
        "device_name": torch.cuda.get_device_name(device) if cuda else _processor(),
        "threads": torch.get_num_threads(),
    }


def _processor() -> str:
    return f"{platform.processor() or platform.machine()} {torch.backends.cpu.get_cpu_capability()}"
