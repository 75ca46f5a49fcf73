"""The parts of figures' data: arms and panels, with what each shows.

`runs` are the ids of the runs that numbers come from, `digests` those of their specs: the file's metadata have both.
Numbers are as they are stored: fractions in 0..1, nats, seconds. One that is null, or not finite, is missing.
"""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from mmix.figures.documents import (
    BoundaryDocument,
    HiddenDocument,
    Number,
    RealisationsDocument,
    ReliabilityDocument,
    SpectrumDocument,
)

Point = Annotated[tuple[int, Number], Field(strict=False)]
"""An epoch and a value."""
Curves = dict[str, list[Point]]
"""By metric, of one run."""


class Shape(BaseModel):
    """A piece of a figure's data; a field that isn't known is refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class Mean(BaseModel):
    """A metric's mean and sample standard deviation over n seeds."""

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True, allow_inf_nan=False)

    mean: Number
    std: Number = None
    n: Annotated[int, Field(ge=0)] = 1


Means = dict[str, Mean]
"""By the metric's name."""


class Arm(Shape):
    """One method, or whatever else is told apart; its name and what it rests on."""

    label: Annotated[str, Field(min_length=1, max_length=500)]
    runs: list[str] = []
    digests: list[str] = []


class BoundaryPanel(Arm):
    """Where one network decides."""

    document: BoundaryDocument


class HiddenPanel(Arm):
    """Where one network puts samples."""

    document: HiddenDocument


class ReliabilityPanel(Arm):
    """The reliability of each of an arm's runs."""

    documents: Annotated[list[ReliabilityDocument], Field(min_length=1)]


class SpectraArm(Arm):
    """The spectra of each of an arm's runs."""

    documents: Annotated[list[SpectrumDocument], Field(min_length=1)]


class RisksArm(Arm):
    """The risks of each of an arm's realisations."""

    documents: Annotated[list[RealisationsDocument], Field(min_length=1)]


class CurvesArm(Arm):
    """The learning curves of each of an arm's runs."""

    curves: Annotated[list[Curves], Field(min_length=1)]


class ErrorNllArm(Arm):
    """Both metrics of an arm."""

    error: Mean
    nll: Mean


class CostArm(Arm):
    """What one run of an arm costs on average, and the metric that it buys."""

    cost: Number
    value: Mean


class AccuraciesArm(Arm):
    """Accuracies by the names of their metrics; `clean` is that on the images as they are."""

    accuracies: Means
    clean: Mean | None = None


class AttackedArm(AccuraciesArm):
    """The same under attacks, and the share of the arm's runs whose gradients may be masked; None: nobody looked."""

    masking_suspected: Number = None
