"""What the GPU's measurements train, and on what."""

import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchmarks import subjects
from benchmarks.steps import learner
from mmix.data.dataset import Dataset, Split, measure
from mmix.errors import DataMissing
from mmix.spec.experiment import ExperimentSpec
from mmix.training.learner import Learner

KINDS: dict[str, dict[str, Any]] = {
    "erm": {"kind": "erm"},
    "label_smoothing": {"kind": "label_smoothing"},
    "input_mixup": {"kind": "input_mixup", "alpha": 1.0},
    "manifold_mixup": {"kind": "manifold_mixup", "alpha": 2.0, "layers": [0, 1]},
    "two_batches": {"kind": "manifold_mixup", "alpha": 2.0, "layers": [0, 1], "pairing": "two_batches"},
    "cutmix": {"kind": "cutmix"},
    "cutout": {"kind": "cutout", "size": 8},
    "confmix": {"kind": "confmix", "layers": [0, 1], "warmup_epochs": 0},
}
"""Each mixing method, and pairing with a second batch."""


@dataclass(frozen=True, eq=False)
class Subject:
    """A network and images on a device. A rehearsal is tiny and compiles with what needs no compiler.

    `real` says whether the images are a data set's, so that errors mean something.
    """

    device: torch.device
    quick: bool
    data: Dataset
    real: bool

    @property
    def model(self) -> dict[str, Any]:
        """The network's part of a spec."""
        return {"kind": "mlp", "hidden": [16, 16]} if self.quick else subjects.preact_resnet(64)

    def rounds(self, number: int) -> int:
        """How often something is measured."""
        return 2 if self.quick else number

    def spec(
        self, mixing: Mapping[str, Any] = subjects.MANIFOLD, *, batch_size: int = 100, **training: Any
    ) -> ExperimentSpec:
        """Manifold Mixup in bf16, compiled, unless said otherwise."""
        wanted = {"precision": "bf16", "compile": "on", **training}
        layers = {"layers": [0, 1]} if self.quick and "layers" in mixing else {}
        size = 16 if self.quick else batch_size
        return subjects.spec(self.model, batch_size=size, mixing={**mixing, **layers}, **wanted)

    def learner(self, spec: ExperimentSpec, *, seed: int = 0) -> Learner:
        """What trains the spec here."""
        backend = "aot_eager" if self.quick and self.device.type == "cpu" else None
        return learner(spec, self.data, device=self.device, seed=seed, backend=backend)


def subject(device: torch.device, *, quick: bool, folder: Path | None) -> Subject:
    """On the images in a folder, or on noise of CIFAR-10's size.

    Raises: DataMissing where the folder has no images in a known form.
    """
    if folder is None:
        data = subjects.images(64, test=32) if quick else subjects.images(50_000, test=10_000)
    else:
        data = stored(folder)
    return Subject(device, quick, data, real=folder is not None)


def stored(folder: Path) -> Dataset:
    """The images in a folder: `*.npz` with x_train, y_train, x_test and y_test, or what `mmix data prepare` packed.

    x: uint8, (N, H, W, C) or (N, C, H, W). y: integers.

    Raises: DataMissing where neither is there.
    """
    for path in sorted(folder.rglob("*.npz")):
        with np.load(path) as found:
            return _dataset(path.stem, {name: torch.from_numpy(found[name]) for name in found.files})
    for path in sorted(folder.rglob("*.safetensors")):
        renamed = {f"{part}_{split}": tensor for (split, part), tensor in _unpacked(path).items()}
        return _dataset(path.stem, renamed)
    raise DataMissing(
        f"{folder} has neither a .npz file with x_train, y_train, x_test and y_test nor a packed data set"
    )


def _dataset(name: str, found: Mapping[str, Tensor]) -> Dataset:
    splits = [
        Split(x=_channels_first(found[f"x_{split}"]), y=found[f"y_{split}"].long().flatten()) for split in _SPLITS
    ]
    classes = tuple(map(str, range(int(splits[0].y.max()) + 1)))
    return Dataset(name, splits[0], splits[1], classes, measure(splits[0]), checksum="")


_SPLITS = ("train", "test")


def _channels_first(x: Tensor) -> Tensor:
    return x.permute(0, 3, 1, 2).contiguous() if x.shape[-1] in (1, 3) else x


def _unpacked(path: Path) -> dict[tuple[str, str], Tensor]:
    """A packed file's tensors, read without the package that wrote them: a header in JSON, then the bytes."""
    content = path.read_bytes()
    (size,) = struct.unpack("<Q", content[:8])
    header: dict[str, Any] = json.loads(content[8 : 8 + size])
    kinds = {"U8": np.uint8, "I64": np.int64}
    found = {}
    for name, said in header.items():
        if name != "__metadata__":
            start, end = (8 + size + offset for offset in said["data_offsets"])
            values = np.frombuffer(content[start:end], kinds[said["dtype"]]).reshape(said["shape"])
            split, part = name.split(".")
            found[split, part] = torch.from_numpy(values.copy())
    return found
