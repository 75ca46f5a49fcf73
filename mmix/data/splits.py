"""Which samples of a training split are used, and for what. The same for all seeds of a run."""

from dataclasses import replace

import numpy as np
import torch

from mmix.data.dataset import Split
from mmix.errors import SpecError
from mmix.mixing.draw import Purpose, generator


def set_aside(split: Split, *, size: int, classes: int) -> tuple[Split, Split | None]:
    """What is left for training, and `size` samples for validation with the classes' shares kept to within one.

    None where size is 0. A smaller validation split is part of every larger one.

    Raises: SpecError where less than one sample a class would be left.
    """
    if size == 0:
        return split, None
    most = max(0, len(split) - classes)
    if size > most:
        raise SpecError(
            f"data.validation_size is {size}: it must lie between 0 and {most}, "
            f"so that of {len(split)} training samples one a class is left"
        )
    order = _stratified(split.y.numpy(), "validation")
    # Validation takes the end: the beginning holds every class, even one of a single sample.
    train, validation = order[:-size], order[-size:]
    return split.take(_sorted(train)), split.take(_sorted(validation))


def subset(split: Split, *, size: int | None, classes: int) -> Split:
    """`size` samples with the classes' shares kept to within one sample; the split itself where size is None.

    A smaller subset is part of every larger one.

    Raises: SpecError where the split is smaller than `size`, or `size` than the number of classes.
    """
    if size is None:
        return split
    if not classes <= size <= len(split):
        raise SpecError(
            f"data.train_size is {size}: it must lie between {classes} (one image a class) "
            f"and {len(split)} (the whole training split)"
        )
    return split.take(_sorted(_stratified(split.y.numpy(), "subset")[:size]))


def per_class(split: Split, *, count: int | None, classes: int) -> Split:
    """`count` samples of each class; the split itself where count is None.

    Fewer of a class are part of more of it, and of equally large classes these are the samples that `subset` takes.

    Raises: SpecError where a class has fewer.
    """
    if count is None:
        return split
    labels = split.y.numpy()
    present = np.bincount(labels, minlength=classes)
    if present.min() < count:
        raise SpecError(
            f"data.labels_per_class is {count}: class {present.argmin()} has {present.min()} training samples, "
            "and no class may have fewer"
        )
    order = _shuffled(len(labels), "subset")
    chosen = np.concatenate([order[labels[order] == label][:count] for label in range(classes)])
    return split.take(_sorted(chosen))


def with_noise(split: Split, *, share: float, classes: int) -> Split:
    """The split with the rounded share of its labels replaced by another class, uniformly; itself where share is 0.

    What a smaller share replaces, a larger one replaces in the same way.
    """
    if share == 0:
        return split
    draw = generator(seed=0, purpose="label_noise", epoch=0)
    order = draw.permutation(len(split))
    shifts = draw.integers(1, classes, size=len(split))
    wrong = order[: round(share * len(split))]
    y = split.y.clone()
    y[wrong] = (y[wrong] + torch.from_numpy(shifts[wrong])) % classes
    return replace(split, y=y)


def _sorted(chosen: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.sort(chosen))


def _shuffled(count: int, purpose: Purpose) -> np.ndarray:
    return generator(seed=0, purpose=purpose, epoch=0).permutation(count)


def _stratified(labels: np.ndarray, purpose: Purpose) -> np.ndarray:
    """All positions, ordered so that every beginning holds each class in its share."""
    shuffled = _shuffled(len(labels), purpose)
    share = np.empty(len(labels))
    for label in np.unique(labels):
        of_class = labels[shuffled] == label
        share[of_class] = np.arange(of_class.sum()) / of_class.sum()
    return shuffled[np.argsort(share, kind="stable")]
