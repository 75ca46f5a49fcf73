"""What each kind of figure is drawn from: JSON data, checked."""

from collections.abc import Mapping
from typing import Annotated, Literal, Self, get_args

from pydantic import Field, TypeAdapter, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from mmix.errors import FigureError
from mmix.figures.arms import (
    AccuraciesArm,
    AttackedArm,
    BoundaryPanel,
    CostArm,
    CurvesArm,
    ErrorNllArm,
    HiddenPanel,
    ReliabilityPanel,
    RisksArm,
    Shape,
    SpectraArm,
)
from mmix.spec.problems import problems, sentence

MOST = 12  # arms, or panels: of more no two could be told apart
_TOLD = 3  # problems in one message

Format = Literal["png", "svg"]
Json = str | int | float | bool | None | Mapping[str, "Json"] | list["Json"]


Panels = Field(min_length=1, max_length=MOST)


class Figure(Shape):
    """What all figures may say of themselves."""

    title: Annotated[str, Field(max_length=200)] | None = None
    comparison: str | None = None


class Boundary(Figure):
    """Decision regions in the plane, a panel each, with training points."""

    kind: Literal["boundary"]
    panels: Annotated[list[BoundaryPanel], Panels]


class Toy(Figure):
    """Toy data sets with the decision of their Bayes rule."""

    kind: Literal["toy"]
    panels: Annotated[list[BoundaryPanel], Panels]

    @model_validator(mode="after")
    def _the_rules_are_known(self) -> Self:
        unknown = [panel.label for panel in self.panels if panel.document.bayes is None]
        if unknown:
            raise PydanticCustomError(
                "no_bayes_rule",
                "The Bayes rule of this data isn't known",
                {"field": "panels", "given": unknown[0], "allowed": "runs on gaussian_mixture; else the kind boundary"},
            )
        return self


class ExcessRisk(Figure):
    """Excess risk by quartile of the data sets' normalised MMLB."""

    kind: Literal["excess_risk"]
    arms: Annotated[list[RisksArm], Panels]


class LearningCurves(Figure):
    """A metric over epochs: mean and standard deviation over runs."""

    kind: Literal["curves"]
    metric: Annotated[str, Field(min_length=1, max_length=100)] = "error"
    arms: Annotated[list[CurvesArm], Panels]


class ErrorNll(Figure):
    """Error against NLL."""

    kind: Literal["error_nll"]
    arms: Annotated[list[ErrorNllArm], Panels]


class Reliability(Figure):
    """Accuracy against confidence, with the number of samples."""

    kind: Literal["reliability"]
    panels: Annotated[list[ReliabilityPanel], Panels]


class Spectra(Figure):
    """Singular values at each mix point that all arms have, or at one: of each class on average, or of all samples."""

    kind: Literal["spectra"]
    point: int | None = None
    group: Literal["class", "pooled"] = "class"
    centred: bool = True
    arms: Annotated[list[SpectraArm], Panels]


class Hidden(Figure):
    """Test samples in the two dimensions of the narrowest layer."""

    kind: Literal["hidden"]
    panels: Annotated[list[HiddenPanel], Panels]


class Eps(Figure):
    """Accuracy against the size of an attack."""

    kind: Literal["eps"]
    arms: Annotated[list[AttackedArm], Panels]


class Rotation(Figure):
    """Accuracy against the amount of a deformation: rotation, shear, zoom."""

    kind: Literal["rotation"]
    arms: Annotated[list[AccuraciesArm], Panels]


class Alpha(Figure):
    """ConfMix's alpha over epochs."""

    kind: Literal["alpha"]
    arms: Annotated[list[CurvesArm], Panels]


class Cost(Figure):
    """A metric against what a run costs."""

    kind: Literal["cost"]
    metric: Annotated[str, Field(min_length=1, max_length=100)] = "error"
    by: Literal["forward_backward_passes", "device_seconds", "epochs"] = "forward_backward_passes"
    arms: Annotated[list[CostArm], Panels]


AnyFigure = Annotated[
    Boundary
    | Toy
    | ExcessRisk
    | LearningCurves
    | ErrorNll
    | Reliability
    | Spectra
    | Hidden
    | Eps
    | Rotation
    | Alpha
    | Cost,
    Field(discriminator="kind"),
]
Kind = Literal[
    "boundary",
    "toy",
    "excess_risk",
    "curves",
    "error_nll",
    "reliability",
    "spectra",
    "hidden",
    "eps",
    "rotation",
    "alpha",
    "cost",
]
KINDS: tuple[Kind, ...] = get_args(Kind)
_READER: TypeAdapter[AnyFigure] = TypeAdapter(AnyFigure)


def kind_of(name: str) -> Kind:
    """The kind of this name.

    Raises: FigureError, which names those that there are.
    """
    for kind in KINDS:
        if kind == name:
            return kind
    raise FigureError(f"There is no kind of figure {name!r}; allowed: {', '.join(KINDS)}")


def read(kind: str, data: Mapping[str, Json]) -> AnyFigure:
    """The data of a figure of this kind.

    Raises: FigureError, which says where something else stands than may.
    """
    document = {**data, "kind": kind_of(kind)}
    try:
        return _READER.validate_python(document)
    except ValidationError as error:
        found = problems(error.errors(), document)
        told = "; ".join(sentence(each) for each in found[:_TOLD]) + ("; ..." if len(found) > _TOLD else "")
        raise FigureError(told) from None
