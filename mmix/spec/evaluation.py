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
Artifact = Literal["logits", "reliability", "spectrum", "boundary", "hidden"]


def _sorted_unique(values: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(sorted(set(values)))


class Evaluation(Part):
    """What to measure after the last epoch, on the network of the last epoch only.

    Artifacts are files beside the checkpoints: the test logits, and data for figures. Learning curves have the test
    split after each `test_every`-th epoch and after the last; above 1, `last` is the only selection.
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

SELECTIONS = ("last", "median_of_last_ten", "best_on_test")
"""Which epochs a result speaks of. `last` is the reported one; `best_on_test` is an oracle."""

_NUMBER = r"\d{1,4}(?:\.\d{1,6})?"
_BYTE = r"(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)"
_PATTERN = re.compile(
    rf"^(?:(?:fgsm|pgd[1-9]\d{{0,3}})_accuracy@pixel:{_BYTE}/255"
    rf"|fgsm_accuracy@normalised:{_NUMBER}"
    rf"|deform_accuracy@(?:rotation|shear|zoom_in|zoom_out):{_NUMBER}"
    r"|ood_auroc@[a-z0-9][a-z0-9_:-]{0,80})$"
)
METRIC_NAMES_HELP = ", ".join(
    (
        *METRICS,
        *FINAL_METRICS,
        "fgsm_accuracy@pixel:<0..255>/255",
        "pgd<steps>_accuracy@pixel:<0..255>/255",
        "fgsm_accuracy@normalised:<eps>",
        "deform_accuracy@<kind>:<amount>",
        "ood_auroc@<data>",
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


def is_metric(name: str) -> bool:
    """Whether results may be stored under this name."""
    return name in METRICS or name in FINAL_METRICS or _PATTERN.match(name) is not None


def higher_is_better(metric: str) -> bool:
    """Whether a leaderboard puts the largest value first."""
    return "accuracy" in metric or "auroc" in metric
