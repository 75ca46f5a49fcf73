"""The published data sets that torchvision can fetch, and what is known of them."""

from dataclasses import dataclass
from typing import Literal

import torch

from mmix.data.layout import ARCHIVES as PARTS
from mmix.data.pixels import Statistics

Reader = Literal["CIFAR10", "CIFAR100", "SVHN", "MNIST", "FashionMNIST"]
"""The class of torchvision.datasets that reads the archive."""

_DIGITS = tuple("0123456789")
_CIFAR10 = "airplane automobile bird cat deer dog frog horse ship truck"
_CIFAR100 = """
    apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle bowl boy bridge bus butterfly camel can castle
    caterpillar cattle chair chimpanzee clock cloud cockroach couch crab crocodile cup dinosaur dolphin elephant
    flatfish forest fox girl hamster house kangaroo keyboard lamp lawn_mower leopard lion lizard lobster man
    maple_tree motorcycle mountain mouse mushroom oak_tree orange orchid otter palm_tree pear pickup_truck pine_tree
    plain plate poppy porcupine possum rabbit raccoon ray road rocket rose sea seal shark shrew skunk skyscraper snail
    snake spider squirrel streetcar sunflower sweet_pepper table tank telephone television tiger tractor train trout
    tulip turtle wardrobe whale willow_tree wolf woman worm
"""


def _statistics(mean: tuple[float, float, float], std: tuple[float, float, float]) -> Statistics:
    return Statistics(mean=torch.tensor(mean) / 255, std=torch.tensor(std) / 255)


@dataclass(frozen=True)
class Archive:
    """A published data set. `parts` is what torchvision leaves in its folder; `statistics` are measured where None."""

    kind: str
    title: str
    reader: Reader
    parts: tuple[str, ...]
    classes: tuple[str, ...]
    shape: tuple[int, int, int]
    train_images: int
    test_images: int
    statistics: Statistics | None = None


# Source of the statistics: the authors' code, supervised/load_data.py. Those of MNIST and Fashion-MNIST are measured.
CIFAR10 = Archive(
    kind="cifar10",
    title="CIFAR-10",
    reader="CIFAR10",
    parts=PARTS["cifar10"],
    classes=tuple(_CIFAR10.split()),
    shape=(3, 32, 32),
    train_images=50_000,
    test_images=10_000,
    statistics=_statistics((125.3, 123.0, 113.9), (63.0, 62.1, 66.7)),
)
CIFAR100 = Archive(
    kind="cifar100",
    title="CIFAR-100",
    reader="CIFAR100",
    parts=PARTS["cifar100"],
    classes=tuple(_CIFAR100.split()),
    shape=(3, 32, 32),
    train_images=50_000,
    test_images=10_000,
    statistics=_statistics((129.3, 124.1, 112.4), (68.2, 65.4, 70.4)),
)
SVHN = Archive(
    kind="svhn",
    title="SVHN",
    reader="SVHN",
    parts=PARTS["svhn"],
    classes=_DIGITS,
    shape=(3, 32, 32),
    train_images=73_257,
    test_images=26_032,
    statistics=_statistics((127.5, 127.5, 127.5), (127.5, 127.5, 127.5)),
)
MNIST = Archive(
    kind="mnist",
    title="MNIST",
    reader="MNIST",
    parts=PARTS["mnist"],
    classes=_DIGITS,
    shape=(1, 28, 28),
    train_images=60_000,
    test_images=10_000,
)
FASHION_MNIST = Archive(
    kind="fashion_mnist",
    title="Fashion-MNIST",
    reader="FashionMNIST",
    parts=PARTS["fashion_mnist"],
    classes=_DIGITS,  # its files number the classes; their names stand in a text beside them
    shape=(1, 28, 28),
    train_images=60_000,
    test_images=10_000,
)
ARCHIVES = (CIFAR10, CIFAR100, SVHN, MNIST, FASHION_MNIST)
