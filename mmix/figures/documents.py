"""The artifacts of runs that figures show, as far as they are shown: see `mmix.evaluation.documents`."""

import math
from itertools import pairwise
from typing import Annotated, Any, Self

import numpy as np
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

CLASSES = 20  # of more no two could be told apart


def _finite(value: object) -> object:
    return None if isinstance(value, float) and not math.isfinite(value) else value


Number = Annotated[float | None, BeforeValidator(_finite)]
"""None where it is missing: null, or not finite."""
Numbers = Annotated[list[float], Field(min_length=1)]
Labels = list[Annotated[int, Field(ge=0)]]
Classes = Annotated[list[str], Field(min_length=1, max_length=CLASSES)]


class Document(BaseModel):
    """A document, of which a figure needs only these fields."""

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True, allow_inf_nan=False)


class BoundaryDocument(Document):
    """`boundary.json`: probabilities (Y, X, K) on a grid, training points (N, 2), and the Bayes decision if known."""

    x: Annotated[list[float], Field(min_length=2)]
    y: Annotated[list[float], Field(min_length=2)]
    probabilities: list[list[list[float]]]
    bayes: list[list[int]] | None
    points: list[list[float]]
    labels: Labels
    classes: Classes

    @model_validator(mode="after")
    def _the_sizes_agree(self) -> Self:
        for name, axis in (("x", self.x), ("y", self.y)):
            if any(after <= before for before, after in pairwise(axis)):
                raise PydanticCustomError("axis", "{name} must rise", {"name": name, "allowed": "rising numbers"})
        grid = (len(self.y), len(self.x))
        _agrees("probabilities", self.probabilities, (*grid, len(self.classes)))
        _agrees("points", self.points, (len(self.labels), 2))
        _lie_within(self.labels, self.classes)
        if self.bayes is not None:
            _agrees("bayes", self.bayes, grid)
        return self


class HiddenDocument(Document):
    """`hidden.json`: one or two coordinates of each sample, (N, 1 or 2), and the variance they explain."""

    width: Annotated[int, Field(ge=1)]
    point: int
    explained: list[float] | None
    coordinates: Annotated[list[list[float]], Field(min_length=1)]
    labels: Labels
    classes: Classes

    @model_validator(mode="after")
    def _the_sizes_agree(self) -> Self:
        _agrees("coordinates", self.coordinates, (len(self.labels), min(self.width, 2)))
        _lie_within(self.labels, self.classes)
        return self


class Bins(Document):
    """Bins of samples by confidence, those without samples left out, and the calibration error over them."""

    error: float
    low: Numbers
    high: Numbers
    count: Numbers
    confidence: Numbers
    accuracy: Numbers

    @model_validator(mode="after")
    def _the_sizes_agree(self) -> Self:
        for name in ("high", "count", "confidence", "accuracy"):
            _agrees(name, getattr(self, name), (len(self.low),))
        return self


class ReliabilityDocument(Document):
    """`reliability.json`: of it the bins of equal width, as those of several runs can be added."""

    ece: Bins


class Spectrum(Document):
    """The singular values of the states of all samples ("pooled") or of one class, falling."""

    name: str
    centred: bool
    singular_values: Numbers


class SpectraAtPoint(Document):
    """The spectra at one mix point."""

    point: int
    spectra: Annotated[list[Spectrum], Field(min_length=1)]


class SpectrumDocument(Document):
    """`spectrum.json`."""

    points: Annotated[list[SpectraAtPoint], Field(min_length=1)]


class RealisationsDocument(Document):
    """`realisations.json`: lists whose place i is realisation i, by selection and metric."""

    data_seed: Annotated[list[int], Field(min_length=1)]
    results: dict[str, dict[str, list[Number]]]

    @model_validator(mode="after")
    def _the_risks_are_there(self) -> Self:
        last = self.results.get("last", {})
        for name in ("excess_risk", "normalised_mmlb"):
            if name not in last:
                raise PydanticCustomError(
                    "no_risk",
                    "Runs on this data have no excess risk",
                    {"given": sorted(last), "allowed": f"results.last with {name}: runs on gaussian_mixture"},
                )
            _agrees(name, last[name], (len(self.data_seed),))
        return self


def _agrees(name: str, given: Any, wanted: tuple[int, ...]) -> None:
    """Refuses lists of another shape, and ragged ones."""
    try:
        found = np.shape(given)
    except ValueError:
        found = ()
    if found != wanted and not (0 in wanted and found == (0,)):
        raise PydanticCustomError(
            "shape",
            "{name} has another shape than the fields beside it",
            {"name": name, "given": found or "a ragged list", "allowed": wanted},
        )


def _lie_within(labels: list[int], classes: list[str]) -> None:
    if labels and max(labels) >= len(classes):
        raise PydanticCustomError(
            "label", "There is no such class", {"given": max(labels), "allowed": f"0 to {len(classes) - 1}"}
        )
