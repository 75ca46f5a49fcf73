"""Which network: the union that is the registry of models, with the mix points of each."""

from typing import Annotated, Literal, assert_never

from pydantic import Field

from mmix.spec.part import Part

Width = Annotated[int, Field(ge=1, le=16384)]
Widths = Annotated[tuple[Width, ...], Field(min_length=1, max_length=64, strict=False)]
PointName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_]+(\.[A-Za-z0-9_]+)*$", max_length=100)]


class Mlp(Part):
    """A network of fully connected layers."""

    kind: Literal["mlp"]
    hidden: Widths = (512, 512)
    activation: Literal["relu", "leaky_relu"] = "relu"


class BottleneckMlp(Part):
    """A network of fully connected layers with a linear bottleneck (normalised where `norm` says so) in its middle."""

    kind: Literal["bottleneck_mlp"]
    before: Widths = (1024, 1024, 1024)
    width: Width = 2
    after: Widths = (1024, 1024)
    activation: Literal["relu", "leaky_relu"] = "relu"
    norm: bool = True


class Convnet(Part):
    """Conv 32, Conv 64, FC 64, FC K: the network of the ConfMix manuscript."""

    kind: Literal["convnet"]


class PreActResNet(Part):
    """The pre-activation residual network as the authors of Manifold Mixup built it.

    With `final_norm`, BN and ReLU stand before the pooling, as He et al. (2016) have them and the authors do not.
    """

    kind: Literal["preact_resnet"]
    depth: Literal[18, 34, 50] = 18
    width: Annotated[int, Field(ge=1, le=512)] = 64
    final_norm: bool = False
    stem_stride: Literal[1, 2] = 1  # the authors use 2 on Tiny-ImageNet


class WideResNet(Part):
    """The wide residual network (Zagoruyko and Komodakis, 2016) as the authors of Manifold Mixup built it."""

    kind: Literal["wide_resnet"]
    depth: Literal[10, 16, 22, 28, 34, 40] = 28
    widen: Annotated[int, Field(ge=1, le=20)] = 10


class Gru(Part):
    """A recurrent network that reads an image row by row."""

    kind: Literal["gru"]
    hidden: Annotated[int, Field(ge=1, le=4096)] = 128
    layers: Annotated[int, Field(ge=1, le=8)] = 2


class Torchvision(Part):
    """A classification network of torchvision, mixed at its input (point 0) and after the modules in `points`."""

    kind: Literal["torchvision"]
    name: Literal["resnet18", "resnet34", "resnet50", "vgg11_bn", "mobilenet_v2", "densenet121", "convnext_tiny"]
    points: Annotated[tuple[PointName, ...], Field(max_length=32, strict=False)] = ()


Model = Annotated[
    Mlp | BottleneckMlp | Convnet | PreActResNet | WideResNet | Gru | Torchvision, Field(discriminator="kind")
]


def last_point(model: Model) -> int:
    """The deepest mix point; point 0 is the input."""
    match model:
        case Mlp():
            return len(model.hidden)
        case BottleneckMlp():
            return len(model.before) + 1 + len(model.after)
        case Convnet() | WideResNet():
            return 3
        case PreActResNet():
            return 4
        case Gru():
            return model.layers
        case Torchvision():
            return len(model.points)
        case _:
            assert_never(model)


def needs_images(model: Model) -> bool:
    """Whether the network reads pixels in rows and columns rather than any vector."""
    return not isinstance(model, Mlp | BottleneckMlp)
