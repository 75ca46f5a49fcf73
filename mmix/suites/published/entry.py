"""A published figure: what it says, who says it, and what is known of how it came about."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Annotated, Any, Literal

from pydantic import Field

from mmix.spec.data import CropPadding
from mmix.spec.mixing import Mixing
from mmix.spec.model import Model
from mmix.spec.optimisation import Loss
from mmix.spec.part import Part, Real

Selection = Literal["last", "median_of_last_ten", "best_on_test", "unknown"]
SpreadKind = Literal["std", "unstated"]
"""What ± stands for: the standard deviation over runs, or the source doesn't say."""
Unit = Literal[
    "% error",
    "% accuracy",
    "% excess risk",
    "%",
    "points of accuracy",
    "nats",
    "hours",
    "seconds",
    "GB",
    "singular value",
    "score",
]
Whole = Annotated[int, Field(ge=1)]


class Setting(Part):
    """How a source trained, as far as that is known; what is None the source doesn't say.

    `assumed` names what doesn't stand beside the figure but is known from elsewhere, and whence. A setting of attacks
    has `threat` and `eps` in the source's words.
    """

    epochs: Whole | None = None
    batch_size: Whole | None = None
    optimiser: Literal["sgd", "adam"] | None = None
    lr: Real | None = None
    momentum: Real | None = None
    nesterov: bool | None = None
    weight_decay: Real | None = None
    schedule: Literal["step", "cosine"] | None = None
    milestones: Annotated[tuple[Whole, ...], Field(strict=False)] | None = None
    factor: Real | None = None
    loss: Loss | None = None
    crop_padding: CropPadding | None = None
    flip: bool | None = None
    labels_per_class: Whole | None = None
    points: Whole | None = None
    realisations: Whole | None = None
    threat: str | None = None
    eps: str | None = None
    additional_data: bool | None = None
    hardware: str | None = None
    assumed: Mapping[str, str] = Field(default_factory=dict)


@dataclass(frozen=True)
class Source:
    """Who published: a key, a citation for people, and where it lies."""

    key: str
    citation: str
    url: str | None


@dataclass(frozen=True)
class Record:
    """One published figure.

    `value` and `spread` are in our units (fractions, nats, seconds, bytes), where accuracies are errors if our metric
    is; the original stands beside. With a `baseline`, `value` is a difference from that kind of mixing. `data`,
    `model`, `mixing` and `metric` are None where mmix has nothing that is the same; `mixing_kind` is known more
    often, and `alpha` then holds what was printed. `measure` says in words what was measured. The fields of `model`
    and `mixing` that the source doesn't state hold their defaults.
    """

    id: str
    source: str
    citation: str
    url: str | None
    locator: str
    data: str | None
    data_words: str
    model: Model | None
    model_words: str
    method: str
    mixing: Mixing | None
    mixing_kind: str | None
    alpha: str | None
    metric: str | None
    measure: str
    selection: Selection
    selection_source: str | None
    value: float
    original_value: float
    original_unit: Unit
    baseline: str | None
    spread: float | None
    original_spread: float | None
    spread_kind: SpreadKind | None
    n: int | None
    setting: Setting
    origin: str
    verified: bool
    suspicious: str | None
    note: str | None

    @property
    def epochs(self) -> int | None:
        """For how long was trained, where that is known."""
        return self.setting.epochs

    @property
    def loss(self) -> Loss | None:
        """By which loss, where that is known."""
        return self.setting.loss

    @property
    def in_slides(self) -> bool:
        """Whether the slides show it, too."""
        return "slides" in self.locator

    def document(self) -> dict[str, Any]:
        """The record as JSON data; parts of specs hold what is stated alone."""
        plain = {field.name: getattr(self, field.name) for field in fields(self)}
        parts = {
            name: part.model_dump(mode="json", exclude_unset=True)
            for name, part in (("model", self.model), ("mixing", self.mixing), ("setting", self.setting))
            if part is not None
        }
        return plain | parts
