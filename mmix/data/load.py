"""From a data set's spec to the data set."""

from dataclasses import replace
from pathlib import Path
from typing import assert_never

from mmix.data import catalogue, toys
from mmix.data.dataset import Dataset
from mmix.data.digits import digits
from mmix.data.folder import folder
from mmix.data.imagenet import imagenet
from mmix.data.published import published
from mmix.data.splits import per_class, set_aside, subset, with_noise
from mmix.data.tiny_imagenet import tiny_imagenet
from mmix.spec.data import (
    Cifar10,
    Cifar100,
    Data,
    Digits,
    FashionMnist,
    Folder,
    GaussianMixture,
    ImageNet,
    Mnist,
    Spirals,
    Svhn,
    TinyImageNet,
)


def load(data: Data, data_folder: Path) -> Dataset:
    """The data set with the training samples that the spec asks for; its statistics are the whole split's.

    Raises: DataMissing or DataBroken where the data can't be used, SpecError where the sizes don't fit them.
    """
    whole = _whole(data, data_folder)
    classes = len(whole.classes)
    train, validation = set_aside(whole.train, size=data.validation_size, classes=classes)
    train = subset(train, size=data.train_size, classes=classes)
    train = per_class(train, count=data.labels_per_class, classes=classes)
    train = with_noise(train, share=data.label_noise, classes=classes)
    return replace(whole, train=train, validation=validation)


def _whole(data: Data, data_folder: Path) -> Dataset:
    match data:
        case Digits():
            return digits()
        case Cifar10():
            return published(catalogue.CIFAR10, data_folder)
        case Cifar100():
            return published(catalogue.CIFAR100, data_folder)
        case Svhn():
            return published(catalogue.SVHN, data_folder)
        case Mnist():
            return published(catalogue.MNIST, data_folder)
        case FashionMnist():
            return published(catalogue.FASHION_MNIST, data_folder)
        case TinyImageNet():
            return tiny_imagenet(data_folder)
        case ImageNet():
            return imagenet(data, data_folder)
        case Folder():
            return folder(data, data_folder)
        case GaussianMixture():
            return toys.gaussian_mixture(data)
        case Spirals():
            return toys.spirals(data)
        case _:
            assert_never(data)
