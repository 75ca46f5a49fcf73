"""Which data: the union that is the registry of data sets. No field is a path."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from mmix.spec.part import Fraction, Part, Real

Count = Annotated[int, Field(ge=1, le=100_000_000)]
CropPadding = Annotated[int, Field(ge=0, le=16)]
Seed = Annotated[int, Field(ge=0, le=2**31 - 1)]
Realisations = Annotated[int, Field(ge=1, le=10_000)]

FOLDER_NAME = r"^[a-z0-9][a-z0-9_-]{0,63}$"
"""What a data set of the user's own may be called."""


class Sampled(Part):
    """What can be taken from any training split.

    In this order: a validation split is set aside; a stratified subset of `train_size`, or `labels_per_class` of each
    class, is kept; the share `label_noise` of the kept labels is replaced by another class. All of it is the same for
    all seeds of a run.
    """

    validation_size: Annotated[int, Field(ge=0, le=100_000_000)] = 0
    train_size: Count | None = None
    labels_per_class: Count | None = None
    label_noise: Fraction = 0.0

    @model_validator(mode="after")
    def _one_way_to_shrink(self) -> Self:
        if self.train_size is not None and self.labels_per_class is not None:
            raise PydanticCustomError(
                "two_sizes",
                "Give either train_size or labels_per_class",
                {"field": "labels_per_class", "given": self.labels_per_class, "allowed": "null beside a train_size"},
            )
        return self


class Digits(Sampled):
    """1,797 scanned digits of 8 x 8 pixels, shipped with scikit-learn; 360 of them are the test split."""

    kind: Literal["digits"]
    crop_padding: CropPadding = 0
    flip: bool = False


class Cifar10(Sampled):
    """CIFAR-10 (Krizhevsky, 2009): colour images of 32 x 32 pixels in ten classes."""

    kind: Literal["cifar10"]
    crop_padding: CropPadding = 2  # the Manifold Mixup authors' code pads by 2, not the usual 4
    flip: bool = True


class Cifar100(Sampled):
    """CIFAR-100 (Krizhevsky, 2009): colour images of 32 x 32 pixels in a hundred classes."""

    kind: Literal["cifar100"]
    crop_padding: CropPadding = 2
    flip: bool = True


class Svhn(Sampled):
    """SVHN (Netzer et al., 2011), cropped digits without the extra images."""

    kind: Literal["svhn"]
    crop_padding: CropPadding = 2
    flip: bool = False


class Mnist(Sampled):
    """MNIST (LeCun et al., 1998)."""

    kind: Literal["mnist"]
    crop_padding: CropPadding = 0
    flip: bool = False


class FashionMnist(Sampled):
    """Fashion-MNIST (Xiao et al., 2017)."""

    kind: Literal["fashion_mnist"]
    crop_padding: CropPadding = 0
    flip: bool = False


class TinyImageNet(Sampled):
    """Tiny-ImageNet: 200 classes of 64 x 64 pixels; its published validation split is the test split."""

    kind: Literal["tiny_imagenet"]
    crop_padding: CropPadding = 4
    flip: bool = True


class ImageNet(Sampled):
    """ImageNet (ILSVRC 2012), streamed from its folders; its published validation split is the test split.

    Training crops are random resized crops of `side` pixels, test crops are central.
    """

    kind: Literal["imagenet"]
    side: Annotated[int, Field(ge=32, le=512)] = 224
    flip: bool = True


class Folder(Sampled):
    """Images in class folders, registered under a name on the machine that trains."""

    kind: Literal["folder"]
    name: Annotated[str, Field(pattern=FOLDER_NAME)]
    crop_padding: CropPadding = 0
    flip: bool = False


Range = Annotated[tuple[Real, Real], Field(strict=False)]


class GaussianMixture(Sampled):
    """Points in the plane, each class a mixture of Gaussians: the ConfMix manuscript's toy family.

    X | Y = k ~ 1/N sum_i Normal(mu_ki, sigma^2 I), classes equally likely. The `seed` draws the means (uniform in
    `mean_range`, each coordinate) and sigma (uniform in `sigma_range`); every seed is another data set with a known
    Bayes rule. `test_size` points estimate all risks. With `realisations`, one run trains as many networks, each on a
    data set of its own: realisation i is what the seed plus i draws, of the data set and of the run alike.
    """

    kind: Literal["gaussian_mixture"]
    classes: Annotated[int, Field(ge=2, le=100)] = 2
    components: Annotated[int, Field(ge=1, le=1000)] = 5
    mean_range: Range = (-4.0, 4.0)
    sigma_range: Range = (0.3, 1.0)
    seed: Seed = 0
    points: Annotated[int, Field(ge=10, le=1_000_000)] = 1000
    test_size: Annotated[int, Field(ge=10, le=1_000_000)] = 10_000
    realisations: Realisations = 1

    @model_validator(mode="after")
    def _ranges_are_ranges(self) -> Self:
        low, high = self.sigma_range
        if not 0 < low <= high:
            raise PydanticCustomError(
                "range",
                "sigma_range must rise and lie above 0",
                {"field": "sigma_range", "given": [low, high], "allowed": "0 < low <= high"},
            )
        low, high = self.mean_range
        if not low < high:
            raise PydanticCustomError(
                "range", "mean_range must rise", {"field": "mean_range", "given": [low, high], "allowed": "low < high"}
            )
        return self


class Spirals(Sampled):
    """Interleaved spirals in the plane, a class an arm. `realisations` as for `gaussian_mixture`."""

    kind: Literal["spirals"]
    classes: Annotated[int, Field(ge=2, le=20)] = 2
    turns: Annotated[Real, Field(gt=0, le=10)] = 1.5
    noise: Annotated[Real, Field(ge=0, le=10)] = 0.1
    seed: Seed = 0
    points: Annotated[int, Field(ge=10, le=1_000_000)] = 1000
    test_size: Annotated[int, Field(ge=10, le=1_000_000)] = 10_000
    realisations: Realisations = 1


Images = Digits | Cifar10 | Cifar100 | Svhn | Mnist | FashionMnist | TinyImageNet | ImageNet | Folder
Points = GaussianMixture | Spirals
Data = Annotated[Images | Points, Field(discriminator="kind")]


def realisations_of(data: Data) -> int:
    """How many data sets, each with a network of its own, one run trains on; realisation i has the seeds plus i."""
    return data.realisations if isinstance(data, Points) else 1


def name_of(data: Data) -> str:
    """The data set's name, as leaderboards and metric names show it."""
    return f"folder:{data.name}" if isinstance(data, Folder) else data.kind


def is_built_in(data: Data) -> bool:
    """Whether every machine has it, without files of its own."""
    return isinstance(data, Digits | GaussianMixture | Spirals)


def preparation(name: str) -> str:
    """The command that brings the data set of this name to a machine."""
    kind, _, own_name = name.partition(":")
    return f"mmix data prepare {kind} {own_name} --from DIR" if own_name else f"mmix data prepare {kind}"


def has_pixels(data: Data) -> bool:
    """Whether samples are images rather than points."""
    return not isinstance(data, Points)


def is_resident(data: Data) -> bool:
    """Whether the whole data set lies on the training device, so that each sample has an index that stays."""
    return not isinstance(data, ImageNet)
