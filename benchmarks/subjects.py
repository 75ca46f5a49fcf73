"""What the benchmarks train: synthetic images, for speed doesn't depend on what they show."""

from typing import Any

import torch

from mmix.data.dataset import Dataset, Split, Statistics
from mmix.data.loading import loader
from mmix.models.build import build
from mmix.spec.experiment import ExperimentSpec
from mmix.training.learner import Learner, prepare

CONVNET: dict[str, Any] = {"kind": "convnet"}
MANIFOLD: dict[str, Any] = {"kind": "manifold_mixup", "alpha": 2.0, "layers": [0, 1, 2]}
SGD: dict[str, Any] = {"kind": "sgd", "lr": 0.01}
THREADS = 2
SHAPE, CLASSES = (3, 32, 32), 10


def preact_resnet(width: int) -> dict[str, Any]:
    """PreActResNet18 of a width, as a spec has it."""
    return {"kind": "preact_resnet", "depth": 18, "width": width}


def spec(
    model: dict[str, Any], *, batch_size: int, mixing: dict[str, Any], epochs: int = 100_000, **training: Any
) -> ExperimentSpec:
    """A training on images of CIFAR-10's size, cropped and flipped as the authors of Manifold Mixup do."""
    return ExperimentSpec.model_validate(
        {
            "model": model,
            "data": {"kind": "cifar10", "crop_padding": 2, "flip": True},
            "mixing": mixing,
            "training": {"epochs": epochs, "batch_size": batch_size, "optimiser": SGD, "compile": "off", **training},
        }
    )


def images(count: int, *, test: int = 2) -> Dataset:
    """`count` training and `test` test images, 32 x 32 pixels of noise in ten classes."""
    draw = torch.Generator().manual_seed(0)

    def split(size: int) -> Split:
        x = torch.randint(0, 256, (size, *SHAPE), generator=draw, dtype=torch.uint8)
        return Split(x=x, y=torch.arange(size) % CLASSES)

    return Dataset(
        name="noise",
        train=split(count),
        test=split(test),
        classes=tuple(map(str, range(CLASSES))),
        statistics=Statistics(mean=torch.full((3,), 0.5), std=torch.full((3,), 0.25)),
        checksum="",
    )


def learner(wanted: ExperimentSpec, data: Dataset) -> Learner:
    """What mmix trains with on this machine's processor."""
    training = loader(data, wanted.data, batch_size=wanted.training.batch_size, seed=0, device="cpu")
    return prepare(
        wanted,
        seed=0,
        model=build(wanted.model, shape=SHAPE, classes=CLASSES, seed=0),
        loader=training,
        shape=SHAPE,
        classes=CLASSES,
        device=torch.device("cpu"),
    )
