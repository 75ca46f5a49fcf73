"""What to measure beyond the metrics of predictions, and the names of all metrics."""

import re
from typing import Annotated, Literal, assert_never

from pydantic import AfterValidator, Field

from mmix.spec.data import Images, name_of
from mmix.spec.part import Part, Real

Eps = Annotated[int, Field(ge=0, le=255)]
PixelEps = Annotated[tuple[Eps, ...], Field(min_length=1, max_length=32, strict=False)]


class Fgsm(Part):
    """One signed gradient step of eps/255 in pixel space (Goodfellow et al., 2015)."""

    kind: Literal["fgsm"]
    eps: PixelEps = (1, 2, 4, 8)


class Pgd(Part):
    """`steps` signed gradient steps in pixel space, each projected to the eps/255 ball (Madry et al., 2018).

    The step is eps/4; each of `restarts` begins at a random point of the ball, and the worst of them counts.
    """

    kind: Literal["pgd"]
    eps: PixelEps = (8,)
    steps: Annotated[int, Field(ge=1, le=1000)] = 20
    restarts: Annotated[int, Field(ge=1, le=20)] = 1


class NormalisedFgsm(Part):
    """The Manifold Mixup authors' deleted attack: a step of eps in normalised space, not clipped to valid pixels."""

    kind: Literal["fgsm_normalised"]
    eps: Annotated[
        tuple[Annotated[Real, Field(ge=0, le=100)], ...], Field(min_length=1, max_length=32, strict=False)
    ] = (0.01, 0.03)


Attack = Annotated[Fgsm | Pgd | NormalisedFgsm, Field(discriminator="kind")]


class Deformation(Part):
    """A deformation of the test images, each by an amount of its own where the kind says so.

    rotation, shear: uniform in plus or minus `amounts` degrees. zoom_in: the central `amounts` per cent, enlarged.
    zoom_out: shrunk so that the picture is 100 / `amounts` of the side, on black. Source: the paper, Tables 4 and 9.
    """

    kind: Literal["rotation", "shear", "zoom_in", "zoom_out"]
    amounts: Annotated[
        tuple[Annotated[Real, Field(gt=0, le=1000)], ...], Field(min_length=1, max_length=32, strict=False)
    ]


class Noise(Part):
    """Pixels without meaning, as many images as the test split has."""

    kind: Literal["uniform_noise", "gaussian_noise"]


Strange = Annotated[Images | Noise, Field(discriminator="kind")]
Artifact = Literal["logits", "reliability", "spectrum", "boundary", "hidden", "mixing_loss"]


def _sorted_unique(values: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(sorted(set(values)))


class Evaluation(Part):
    """What to measure after the last epoch, on the network of the last epoch only.

    Artifacts are files beside the checkpoints: the test logits, and data for figures. Metrics sum up what they show, so
    that those which take time (spectrum, hidden, mixing_loss) are there where they are asked for. Learning curves have
    the test split after each `test_every`-th epoch and after the last; above 1, `last` is the only selection.
    """

    attacks: Annotated[tuple[Attack, ...], Field(max_length=8, strict=False)] = (Fgsm(kind="fgsm"),)
    deformations: Annotated[tuple[Deformation, ...], Field(max_length=16, strict=False)] = ()
    ood: Annotated[tuple[Strange, ...], Field(max_length=8, strict=False)] = ()
    artifacts: Annotated[tuple[Artifact, ...], Field(max_length=8, strict=False), AfterValidator(_sorted_unique)] = ()
    test_every: Annotated[int, Field(ge=1, le=100_000)] = 1


METRICS = ("error", "nll", "brier")
"""Metrics of predictions, measured on the test split after every epoch."""

FINAL_METRICS = (
    "top5_error",
    "nll_tempered",
    "ece",
    "ece_mass",
    "excess_risk",
    "relative_excess_risk",
    "bayes_risk",
    "mmlb",
    "normalised_mmlb",
)
"""Metrics of the last epoch's predictions, where the data admit them."""

GRADIENT_METRICS = ("input_gradient_norm", "zero_gradient_fraction")
"""Of the gradient of the cross-entropy with respect to a test sample, in the last epoch, where one run is one network.

input_gradient_norm: the mean Euclidean norm, in nats per pixel in 0..1 or per raw coordinate (ConfMix manuscript,
Result 1). zero_gradient_fraction: the share of samples on which it is exactly 0 everywhere.
"""

MASKING = "masking_suspected"
"""1 where attacks were asked for and their gradients say little (mmix.evaluation.masking), else 0: the mean over runs
is the share of suspected ones."""

PASSES = "forward_backward_passes"
"""(forward + 2 backward) / 3 training images of a whole run, so that plain training costs one an image and epoch."""

DEVICE_SECONDS = "device_seconds"
"""Seconds of a run's attempts, times the devices that each held; the store knows it, the laboratory doesn't."""

MIXED_LOSSES = ("mixed_kl", "mixed_mse")
"""The floor of the mixing loss, on training samples mixed as the spec says, where the artifact `mixing_loss` is asked
for and the spec mixes at one layer a batch with a constant alpha (Manifold Mixup, section 3: it can reach 0 where a
layer has at least d - 1 dimensions for d classes). mixed_kl: the mean divergence, in nats, of the softmax from the
mixed label. mixed_mse: where `mse` is the loss, the mean squared difference of outputs and mixed label instead.
"""

TRAINING_METRICS = ("train_accuracy_weighted", "confmix_alpha_first", "confmix_alpha_last")
"""What the training says of itself, where one run is one network (ConfMix manuscript, section 4.3).

train_accuracy_weighted: the share of the mixed labels' mass that the last epoch's predictions hit. The others: the mean
alpha, in 0..1, of ConfMix's first epoch that mixes, and of its last.
"""

BOUNDARY_METRICS = ("boundary_margin", "boundary_entropy")
"""In the plane, where the artifact `boundary` is asked for (ConfMix manuscript, figure 1). boundary_margin: how far
training points lie, on average, from where the network decides otherwise than their label, in raw coordinates.
boundary_entropy: how unsure it is, in nats, on average over the picture."""

SPECTRUM_MEASURES = ("largest", "rest", "ratio", "participation_ratio", "effective_rank", "rank")
"""Of the spectrum of the states of a class about their mean, averaged over the classes; where the artifact `spectrum`
is asked for (mmix.evaluation.spectrum). largest and rest: standard deviations as the layer scales them. ratio:
rest / largest. The last three count directions."""

HIDDEN_MEASURES = ("scatter", "entropy")
"""At the narrowest layer, where the artifact `hidden` is asked for. scatter: the share of the states' variance that
lies between the classes, in 0..1. entropy: how unsure the network is, in nats, about points drawn uniformly from the
box around the states, where these have at most 3 dimensions (Manifold Mixup, section 2, figure 2)."""

SELECTIONS = ("last", "median_of_last_ten", "best_on_test")
"""Which epochs a result speaks of. `last` is the reported one; `best_on_test` is an oracle."""

_OF_RUNS = (PASSES, DEVICE_SECONDS, *TRAINING_METRICS)
NETWORK_METRICS = (*GRADIENT_METRICS, MASKING, *_OF_RUNS, *MIXED_LOSSES, *BOUNDARY_METRICS)
"""What is known of a run or its network beyond predictions, by fixed names."""

_NUMBER = r"\d{1,4}(?:\.\d{1,6})?"
_POINT = r"[1-9]\d{0,3}"
_BYTE = r"(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)"
_PATTERN = re.compile(
    rf"^(?:(?:fgsm|pgd[1-9]\d{{0,3}})_accuracy@pixel:{_BYTE}/255"
    rf"|fgsm_accuracy@normalised:{_NUMBER}"
    rf"|deform_accuracy@(?:rotation|shear|zoom_in|zoom_out):{_NUMBER}"
    rf"|(?:pooled_)?spectrum_(?:{'|'.join(SPECTRUM_MEASURES)})@{_POINT}"
    rf"|mixed_confidence@(?:0|{_POINT})"
    rf"|hidden_(?:{'|'.join(HIDDEN_MEASURES)})@{_POINT}"
    r"|ood_auroc@[a-z0-9][a-z0-9_:-]{0,80})$"
)
METRIC_NAMES_HELP = ", ".join(
    (
        *METRICS,
        *FINAL_METRICS,
        *NETWORK_METRICS,
        "fgsm_accuracy@pixel:<0..255>/255",
        "pgd<steps>_accuracy@pixel:<0..255>/255",
        "fgsm_accuracy@normalised:<eps>",
        "deform_accuracy@<kind>:<amount>",
        "ood_auroc@<data>",
        f"spectrum_<{'|'.join(SPECTRUM_MEASURES)}>@<point>",
        f"pooled_spectrum_<{'|'.join(SPECTRUM_MEASURES)}>@<point>",
        "mixed_confidence@<point>",
        f"hidden_<{'|'.join(HIDDEN_MEASURES)}>@<point>",
    )
)


def attack_metric(attack: Fgsm | Pgd | NormalisedFgsm, eps: float) -> str:
    """The name under which the accuracy under this attack is stored; eps in the attack's own unit."""
    match attack:
        case Fgsm():
            return f"fgsm_accuracy@pixel:{eps:.0f}/255"
        case Pgd():
            return f"pgd{attack.steps}_accuracy@pixel:{eps:.0f}/255"
        case NormalisedFgsm():
            return f"fgsm_accuracy@normalised:{eps:g}"
        case _:
            assert_never(attack)


def deformation_metric(kind: str, amount: float) -> str:
    """The name under which the accuracy on deformed images is stored."""
    return f"deform_accuracy@{kind}:{amount:g}"


def ood_metric(strange: Images | Noise) -> str:
    """The name under which the AUROC against this other data is stored."""
    return f"ood_auroc@{strange.kind if isinstance(strange, Noise) else name_of(strange)}"


def spectrum_metric(measure: str, point: int) -> str:
    """The name under which this measure of the classes' spectra at a mix point is stored."""
    return f"spectrum_{measure}@{point}"


def pooled_spectrum_metric(measure: str, point: int) -> str:
    """The name under which this measure of the spectrum of all classes' states together is stored."""
    return f"pooled_spectrum_{measure}@{point}"


def hidden_metric(measure: str, point: int) -> str:
    """The name under which this measure of the states at a mix point is stored."""
    return f"hidden_{measure}@{point}"


def confidence_metric(point: int) -> str:
    """The name under which the confidence in mixtures is stored: the mean largest probability, in 0..1.

    Of training samples mixed at this point with lambda uniform, where the artifact `mixing_loss` is asked for,
    whatever the method (Manifold Mixup, abstract: less confident on interpolations).
    """
    return f"mixed_confidence@{point}"


def is_metric(name: str) -> bool:
    """Whether results may be stored under this name."""
    return name in (*METRICS, *FINAL_METRICS, *NETWORK_METRICS) or _PATTERN.match(name) is not None


def higher_is_better(metric: str) -> bool:
    """Whether a leaderboard puts the largest value first."""
    return "accuracy" in metric or "auroc" in metric or metric.startswith(("hidden_", "boundary_"))


def is_attack(metric: str) -> bool:
    """Whether the metric is an accuracy under attack, which says little where gradients are masked."""
    return re.match(r"(?:fgsm|pgd\d+)_accuracy@", metric) is not None
