"""How to train: epochs, batches, optimiser, schedule, loss and precision."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from mmix.spec.part import Fraction, Part, Real

WeightDecay = Annotated[Real, Field(ge=0, le=1)]


class Sgd(Part):
    """Stochastic gradient descent with (Nesterov) momentum; the defaults are the authors' code."""

    kind: Literal["sgd"]
    lr: Annotated[Real, Field(gt=0, le=100)] = 0.1
    momentum: Fraction = 0.9
    nesterov: bool = True
    weight_decay: WeightDecay = 1e-4

    @model_validator(mode="after")
    def _nesterov_needs_momentum(self) -> Self:
        if self.nesterov and self.momentum == 0:
            raise PydanticCustomError(
                "nesterov_without_momentum",
                "Nesterov's method needs a momentum above 0; set nesterov to false or raise momentum",
                {"field": "momentum", "given": 0, "allowed": "above 0 and below 1"},
            )
        return self


class Adam(Part):
    """Adam (Kingma and Ba, 2015); weight decay is added to the gradient."""

    kind: Literal["adam"]
    lr: Annotated[Real, Field(gt=0, le=100)] = 1e-3
    beta1: Fraction = 0.9
    beta2: Fraction = 0.999
    eps: Annotated[Real, Field(gt=0, le=1)] = 1e-8
    weight_decay: WeightDecay = 0.0


class Step(Part):
    """Multiplies the learning rate by `factor` at the start of each milestone epoch (counted from 0)."""

    kind: Literal["step"]
    milestones: Annotated[tuple[Annotated[int, Field(ge=1)], ...], Field(max_length=100, strict=False)] = ()
    factor: Annotated[Real, Field(gt=0, le=1)] = 0.1


class Cosine(Part):
    """Lowers the learning rate along half a cosine, epoch by epoch, towards 0."""

    kind: Literal["cosine"]


Optimiser = Annotated[Sgd | Adam, Field(discriminator="kind")]
Schedule = Annotated[Step | Cosine, Field(discriminator="kind")]
Loss = Literal["ce", "bce", "mse"]
Precision = Literal["fp32", "bf16", "fp16"]
Compile = Literal["auto", "on", "off"]
Devices = Annotated[int, Field(ge=1, le=64)]


class Training(Part):
    """How long and by what rule the network learns; `batch_size` is global.

    With several `devices` each has an equal share of every batch, partners are drawn within a share, and batch
    normalisation is of a share, or of the whole batch with `sync_batch_norm`. `groups` draws partners within that many
    shares on one device: with it, one device computes what as many devices with `sync_batch_norm` do. `compile: auto`
    compiles the network where the run is expected to be long enough for that to pay.
    """

    epochs: Annotated[int, Field(ge=1, le=100_000)]
    batch_size: Annotated[int, Field(ge=2, le=65_536)] = 100
    optimiser: Optimiser = Sgd(kind="sgd")
    schedule: Schedule = Step(kind="step")
    loss: Loss = "ce"
    precision: Precision = "fp32"
    clip_norm: Annotated[Real, Field(gt=0, le=1e6)] | None = None
    compile: Compile = "auto"
    devices: Devices = 1
    groups: Devices = 1
    sync_batch_norm: bool = False

    @property
    def shares(self) -> int:
        """Into how many parts each batch is cut; partners are found within a part."""
        return max(self.devices, self.groups)

    @model_validator(mode="after")
    def _shares_are_sensible(self) -> Self:
        wrong = [
            (
                "groups",
                self.groups,
                "1 where devices is above 1",
                self.devices > 1 and self.groups > 1,
                "Each device is a group of its own",
            ),
            (
                "sync_batch_norm",
                self.sync_batch_norm,
                "false where devices is 1",
                self.sync_batch_norm and self.devices == 1,
                "One device has nobody to share its statistics with",
            ),
            (
                "batch_size",
                self.batch_size,
                f"at least {2 * self.shares}",
                self.batch_size < 2 * self.shares,
                "Each share of a batch needs two samples",
            ),
        ]
        for field, given, allowed, refused, reason in wrong:
            if refused:
                raise PydanticCustomError("shares", reason, {"field": field, "given": given, "allowed": allowed})
        return self

    @model_validator(mode="after")
    def _milestones_lie_inside(self) -> Self:
        if not isinstance(self.schedule, Step):
            return self
        milestones = self.schedule.milestones
        if list(milestones) != sorted(set(milestones)) or any(m >= self.epochs for m in milestones):
            raise PydanticCustomError(
                "milestones",
                "Milestones must rise and lie below the number of epochs ({epochs})",
                {
                    "field": "schedule.milestones",
                    "given": list(milestones),
                    "allowed": f"rising epochs from 1 to {self.epochs - 1}",
                    "epochs": self.epochs,
                },
            )
        return self
