"""What all parts of a spec share: frozen, strict, closed, and numbers that mean one thing."""

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Discriminator, Field, Tag


class Part(BaseModel):
    """A piece of a spec. Unknown fields, NaN and silent conversions ("3" for 3) are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


def _unsigned_zero(value: float) -> float:
    return value + 0.0  # -0.0 and 0.0 are one number and must give one digest


PartName = Literal["model", "data", "mixing", "training", "evaluation"]
"""The parts of a spec by their names."""

Real = Annotated[float, AfterValidator(_unsigned_zero)]
"""A finite number."""

Concentration = Annotated[Real, Field(ge=1e-4, le=100)]
"""The alpha of Beta(alpha, alpha). Below 1e-4 lambda would be 0 or 1 to machine precision."""

Fraction = Annotated[Real, Field(ge=0, lt=1)]
HalfLife = Annotated[Real, Field(gt=0, le=100_000)]


class Rising(Part):
    """alpha = 1 - 2^(-t / half_life) after t epochs: from 0 towards 1."""

    kind: Literal["rising"]
    half_life: HalfLife


class Falling(Part):
    """alpha = 2^(-t / half_life) after t epochs: from 1 towards 0."""

    kind: Literal["falling"]
    half_life: HalfLife


class Linear(Part):
    """alpha from `start` in the first epoch to `end` in the last, in equal steps."""

    kind: Literal["linear"]
    start: Annotated[Real, Field(ge=0, le=100)]
    end: Annotated[Real, Field(ge=0, le=100)]


def _kind_of_alpha(value: object) -> object:
    if isinstance(value, dict):
        return value.get("kind")
    return getattr(value, "kind", "constant")


Alpha = Annotated[
    Annotated[Concentration, Tag("constant")]
    | Annotated[Rising, Tag("rising")]
    | Annotated[Falling, Tag("falling")]
    | Annotated[Linear, Tag("linear")],
    Discriminator(_kind_of_alpha),
]
"""A constant, or a schedule over epochs. Where a schedule is below 1e-4, lambda is 1."""


def _sorted_unique(values: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(sorted(set(values)))


Layers = Annotated[
    tuple[Annotated[int, Field(ge=0, le=1000)], ...],
    Field(min_length=1, max_length=64, strict=False),
    AfterValidator(_sorted_unique),
]
"""A set of mix points, kept sorted and unique so that one set has one digest."""
