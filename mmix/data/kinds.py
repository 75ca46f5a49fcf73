"""The kinds of data by name; the command line offers them without loading torch."""

from typing import Literal

Kind = Literal[
    "digits",
    "cifar10",
    "cifar100",
    "svhn",
    "mnist",
    "fashion_mnist",
    "tiny_imagenet",
    "imagenet",
    "folder",
    "gaussian_mixture",
    "spirals",
]
