"""Which regulariser: the union that is the registry of mixing methods."""

from typing import Annotated, Literal, Self, assert_never

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from mmix.spec.part import Alpha, Layers, Part, Real

Sharing = Literal["batch", "sample"]
Pairing = Literal["shuffle", "two_batches"]


class Erm(Part):
    """Empirical risk minimisation: no mixing."""

    kind: Literal["erm"]


class InputMixup(Part):
    """Mixes inputs and labels (Zhang et al., 2018)."""

    kind: Literal["input_mixup"]
    alpha: Alpha
    sharing: Sharing = "batch"
    pairing: Pairing = "shuffle"


class ManifoldMixup(Part):
    """Mixes the hidden states at one layer of `layers`, drawn for each batch (Verma et al., 2019).

    With `layers_per_batch` above 1 that many layers are drawn, and the states mixed at each of them with the same
    lambda and partners. With `stop_gradient` no gradient passes below the mixing layer: the paper's control.
    """

    kind: Literal["manifold_mixup"]
    alpha: Alpha
    layers: Layers
    sharing: Sharing = "batch"
    pairing: Pairing = "shuffle"
    layers_per_batch: Annotated[int, Field(ge=1, le=64)] = 1
    stop_gradient: bool = False

    @model_validator(mode="after")
    def _enough_layers(self) -> Self:
        if self.layers_per_batch > len(self.layers):
            raise PydanticCustomError(
                "layers_per_batch",
                "No more layers can be mixed at once than `layers` lists",
                {"field": "layers_per_batch", "given": self.layers_per_batch, "allowed": f"1 to {len(self.layers)}"},
            )
        return self


class ConfMix(Part):
    """Mixup whose alpha follows the network's confidence in each sample (the ConfMix manuscript, Algorithm 1).

    alpha_i = K / (K - 1) * (max softmax - 1 / K), times `scale`; plain ERM for the first `warmup_epochs`. The
    confidence is that of a fresh forward pass over the batch (`step`), or that of the sample's last epoch (`epoch`).
    """

    kind: Literal["confmix"]
    layers: Layers = (0,)
    warmup_epochs: Annotated[int, Field(ge=0, le=100_000)] = 5  # M in section 4.2
    scale: Literal[1.0, 0.5] = 1.0  # type: ignore[valid-type] # 0.5 is "1/2 ConfMix"
    confidence: Literal["step", "epoch"] = "step"


class CutMix(Part):
    """Pastes a patch of the partner and weighs labels by area (Yun et al., 2019)."""

    kind: Literal["cutmix"]
    alpha: Alpha = 1.0
    probability: Annotated[Real, Field(gt=0, le=1)] = 1.0
    sharing: Sharing = "batch"


class Cutout(Part):
    """Puts the mean colour on a square of `size` pixels in each image; labels stay (DeVries and Taylor, 2017)."""

    kind: Literal["cutout"]
    size: Annotated[int, Field(ge=1, le=512)] = 16


class LabelSmoothing(Part):
    """Moves the share `smoothing` of each label's mass evenly to all classes (Szegedy et al., 2016)."""

    kind: Literal["label_smoothing"]
    smoothing: Annotated[Real, Field(gt=0, lt=1)] = 0.1


Mixing = Annotated[
    Erm | InputMixup | ManifoldMixup | ConfMix | CutMix | Cutout | LabelSmoothing, Field(discriminator="kind")
]


def layers_of(mixing: Mixing) -> tuple[int, ...]:
    """The set S of mix points that this method may visit; empty where it mixes nothing."""
    match mixing:
        case Erm() | LabelSmoothing():
            return ()
        case InputMixup() | CutMix() | Cutout():
            return (0,)
        case ManifoldMixup() | ConfMix():
            return mixing.layers
        case _:
            assert_never(mixing)


def needs_pixels(mixing: Mixing) -> bool:
    """Whether the method cuts patches, which only images have."""
    return isinstance(mixing, CutMix | Cutout)
