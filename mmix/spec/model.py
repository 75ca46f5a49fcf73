"""Which network: the union that is the registry of models, with the mix points of each."""

from typing import Annotated, Literal, assert_never

from pydantic import Field

from mmix.spec.part import Part


class Mlp(Part):
    """A ReLU network of fully connected layers."""

    kind: Literal["mlp"]
    hidden: Annotated[
        tuple[Annotated[int, Field(ge=1, le=16384)], ...], Field(min_length=1, max_length=64, strict=False)
    ] = (512, 512)


class Convnet(Part):
    """Conv 32, Conv 64, FC 64, FC K: the network of the ConfMix manuscript."""

    kind: Literal["convnet"]


class PreActResNet(Part):
    """The pre-activation residual network as the authors of Manifold Mixup built it."""

    kind: Literal["preact_resnet"]
    depth: Literal[18] = 18
    width: Annotated[int, Field(ge=1, le=512)] = 64


Model = Annotated[Mlp | Convnet | PreActResNet, Field(discriminator="kind")]


def last_point(model: Model) -> int:
    """The deepest mix point; point 0 is the input."""
    match model:
        case Mlp():
            return len(model.hidden)
        case Convnet():
            return 3
        case PreActResNet():
            return 4
        case _:
            assert_never(model)
