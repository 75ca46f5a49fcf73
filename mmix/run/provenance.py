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
    cuda = learner.device.type == "cuda"
    return {
        "mmix": mmix.__version__,
        "torch": torch.__version__,
        "numpy": np.__version__,
        "python": platform.python_version(),
        "machine": platform.platform(),
        "device": str(learner.device),
        "device_name": torch.cuda.get_device_name(learner.device) if cuda else _processor(),
        "threads": torch.get_num_threads(),
        "precision": spec.training.precision,
        "data": data.name,
        "data_checksum": data.checksum,
        "train_images": len(data.train),
        "test_images": len(data.test),
        "classes": len(data.classes),
        "parameters": sum(parameter.numel() for parameter in learner.model.parameters()),
        "startup_seconds": startup_seconds,
    }


def _processor() -> str:
    return f"{platform.processor() or platform.machine()} {torch.backends.cpu.get_cpu_capability()}"
