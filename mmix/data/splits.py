"""Which images of a training split are used."""

import numpy as np
import torch

from mmix.data.dataset import Split
from mmix.errors import SpecError
from mmix.mixing.draw import generator


def subset(split: Split, *, size: int | None, classes: int) -> Split:
    """`size` images with the classes' shares kept to within one image; the split itself where size is None.

    The order behind it is the same for all seeds, and a smaller subset is part of every larger one.

    Raises: SpecError where the split is smaller than `size`, or `size` than the number of classes.
    """
    if size is None:
        return split
    if not classes <= size <= len(split):
        raise SpecError(
            f"data.train_size is {size}: it must lie between {classes} (one image a class) "
            f"and {len(split)} (the whole training split)"
        )
    chosen = torch.from_numpy(np.sort(_stratified(split.y.numpy())[:size]))
    return Split(x=split.x[chosen], y=split.y[chosen])


def _stratified(labels: np.ndarray) -> np.ndarray:
    """All positions, ordered so that every beginning holds each class in its share."""
    shuffled = generator(seed=0, purpose="subset", epoch=0).permutation(len(labels))
    share = np.empty(len(labels))
    for label in np.unique(labels):
        of_class = labels[shuffled] == label
        share[of_class] = np.arange(of_class.sum()) / of_class.sum()
    return shuffled[np.argsort(share, kind="stable")]
