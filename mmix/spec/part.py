"""What all parts of a spec share: frozen, strict, closed, and numbers that mean one thing."""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field


class Part(BaseModel):
    """A piece of a spec. Unknown fields, NaN and silent conversions ("3" for 3) are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


def _unsigned_zero(value: float) -> float:
    return value + 0.0  # -0.0 and 0.0 are one number and must give one digest


Real = Annotated[float, AfterValidator(_unsigned_zero)]
"""A finite number."""

Alpha = Annotated[Real, Field(ge=1e-4, le=100)]
"""The concentration of Beta(alpha, alpha). Below 1e-4 lambda would be 0 or 1 to machine precision."""


def _sorted_unique(values: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(sorted(set(values)))


Layers = Annotated[
    tuple[Annotated[int, Field(ge=0, le=1000)], ...],
    Field(min_length=1, max_length=64, strict=False),
    AfterValidator(_sorted_unique),
]
"""A set of mix points, kept sorted and unique so that one set has one digest."""
