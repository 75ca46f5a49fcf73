"""Which data: the union that is the registry of data sets. No field is a path."""

from typing import Annotated, Literal

from pydantic import Field

from mmix.spec.part import Part

TrainSize = Annotated[int, Field(ge=1)] | None
CropPadding = Annotated[int, Field(ge=0, le=16)]


class Digits(Part):
    """1,797 scanned digits of 8 x 8 pixels, shipped with scikit-learn; 360 of them are the test split."""

    kind: Literal["digits"]
    train_size: TrainSize = None
    crop_padding: CropPadding = 0
    flip: bool = False


class Cifar10(Part):
    """CIFAR-10 (Krizhevsky, 2009): colour images of 32 x 32 pixels in ten classes."""

    kind: Literal["cifar10"]
    train_size: TrainSize = None
    crop_padding: CropPadding = 2  # the Manifold Mixup authors' code pads by 2, not the usual 4
    flip: bool = True


class Folder(Part):
    """Images in class folders, registered under a name on the machine that trains."""

    kind: Literal["folder"]
    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")]
    train_size: TrainSize = None
    crop_padding: CropPadding = 0
    flip: bool = False


Data = Annotated[Digits | Cifar10 | Folder, Field(discriminator="kind")]


def name_of(data: Data) -> str:
    """The data set's name, as leaderboards and metric names show it."""
    return f"folder:{data.name}" if isinstance(data, Folder) else data.kind
