"""From a data set and its spec to the loader of its training split."""

from typing import assert_never

import torch

from mmix.data.dataset import Dataset
from mmix.data.loader import Loader
from mmix.data.stream import Stream, Streamed
from mmix.mixing.shares import WHOLE, Shares
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

AnyLoader = Loader | Stream


def loader(
    data: Dataset,
    spec: Data,
    *,
    batch_size: int,
    seed: int,
    device: torch.device | str,
    shares: Shares = WHOLE,
) -> AnyLoader:
    """The loader of the data set that `spec` names, augmenting as it says."""
    match spec:
        case GaussianMixture() | Spirals():
            return Loader(data.train, data.statistics, batch_size=batch_size, seed=seed, device=device, shares=shares)
        case ImageNet():
            assert isinstance(data.train, Streamed)
            return Stream(
                data.train,
                data.statistics,
                batch_size=batch_size,
                seed=seed,
                flip=spec.flip,
                device=device,
                shares=shares,
            )
        case Digits() | Cifar10() | Cifar100() | Svhn() | Mnist() | FashionMnist() | TinyImageNet() | Folder():
            return Loader(
                data.train,
                data.statistics,
                batch_size=batch_size,
                seed=seed,
                crop_padding=spec.crop_padding,
                flip=spec.flip,
                device=device,
                shares=shares,
            )
        case _:
            assert_never(spec)
