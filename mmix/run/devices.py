"""The device of a run, and the data on it."""

from dataclasses import replace

import torch

from mmix.data.dataset import Dataset
from mmix.errors import SetupError


def find(name: str) -> torch.device:
    """The device of this name.

    Raises: SetupError where the machine has no such device.
    """
    known = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]
    known += [f"cuda:{number}" for number in range(torch.cuda.device_count())]
    if name not in known:
        raise SetupError(f"the device is {name!r}, but torch finds only {', '.join(known)} here")
    return torch.device(name)


def put(data: Dataset, device: torch.device) -> Dataset:
    """The data set with what evaluation reads on the device; the loader takes the training split there."""
    return replace(
        data,
        test=data.test.to(device),
        validation=data.validation and data.validation.to(device),
        statistics=data.statistics.to(device),
    )
