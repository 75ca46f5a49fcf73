"""From a data set's spec to the data set."""

from dataclasses import replace
from pathlib import Path
from typing import assert_never

from mmix.data.cifar10 import cifar10
from mmix.data.dataset import Dataset
from mmix.data.digits import digits
from mmix.data.folder import folder
from mmix.data.splits import subset
from mmix.spec.data import Cifar10, Data, Digits, Folder


def load(data: Data, data_folder: Path) -> Dataset:
    """The data set with the training images that the spec asks for; its statistics are the whole split's.

    Raises: DataMissing or DataBroken where the data can't be used, SpecError where `train_size` doesn't fit.
    """
    whole = _whole(data, data_folder)
    train = subset(whole.train, size=data.train_size, classes=len(whole.classes))
    return replace(whole, train=train)


def _whole(data: Data, data_folder: Path) -> Dataset:
    match data:
        case Digits():
            return digits()
        case Cifar10():
            return cifar10(data_folder)
        case Folder():
            return folder(data, data_folder)
        case _:
            assert_never(data)
