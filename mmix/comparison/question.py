"""What is compared: arms with their values, and the question they are to answer."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite

import numpy as np
from numpy.typing import NDArray

from mmix.errors import DataBroken, SpecError

Unit = tuple[int, ...]
"""What is measured once in each arm: (seed,), or (seed, realisation) where a run has many networks."""


@dataclass(frozen=True, eq=False)
class Arm:
    """One arm, as far as it is measured.

    values: the primary metric, selection `last`. selections: it under the other selections. cost: by "epochs",
    "forward_backward_passes", "device_seconds". images: the metric of each test image, in one order for all units.
    curves: (epoch, primary metric on the test split). What isn't known is left empty.
    """

    name: str
    values: Mapping[Unit, float]
    selections: Mapping[str, Mapping[Unit, float]] = field(default_factory=dict)
    cost: Mapping[str, Mapping[Unit, float]] = field(default_factory=dict)
    images: Mapping[Unit, NDArray[np.float64]] = field(default_factory=dict)
    curves: Mapping[Unit, Sequence[tuple[int, float]]] = field(default_factory=dict)


@dataclass(frozen=True)
class Question:
    """Which metric is compared against which arm.

    smallest_difference: the smallest that would matter, declared before the runs. complete: whether all runs have
    ended; before that no verdict is given, as one that may be looked at again and again errs more often than it says.
    """

    metric: str
    baseline: str
    higher_is_better: bool
    smallest_difference: float | None
    complete: bool


def check(arms: Sequence[Arm], question: Question) -> None:
    """Passes what can be compared.

    Raises: SpecError where the question fits no arms, DataBroken where a value is no finite number.
    """
    names = [arm.name for arm in arms]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise SpecError(f"two arms are called {twice[0]!r}: give each arm a name of its own")
    if question.baseline not in names:
        raise SpecError(f"baseline is {question.baseline!r}, but the arms are {', '.join(map(repr, names)) or 'none'}")
    wanted = question.smallest_difference
    if wanted is not None and not (isfinite(wanted) and wanted > 0):
        raise SpecError(f"smallest_difference is {wanted}: give a number above 0, in the unit of {question.metric}")
    for arm in arms:
        for what, unit, value in _numbers(arm, question.metric):
            wrong = value[~np.isfinite(value)]
            if wrong.size:
                raise DataBroken(f"{what} of arm {arm.name!r}, unit {unit}, is {wrong[0]}: leave that run out")


def _numbers(arm: Arm, metric: str) -> Iterator[tuple[str, Unit, NDArray[np.float64]]]:
    for what, found in [(metric, arm.values), *arm.selections.items(), *arm.cost.items()]:
        for unit, value in found.items():
            yield what, unit, np.array([value], dtype=np.float64)
    for unit, images in arm.images.items():
        yield f"{metric} of an image", unit, np.asarray(images, dtype=np.float64)
    for unit, curve in arm.curves.items():
        yield f"{metric} of an epoch", unit, np.array([value for _, value in curve], dtype=np.float64)
