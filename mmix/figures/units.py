"""How axes speak of metrics: in words, with the unit, fractions in per cent."""

_SHARES = (
    "error",
    "accuracy",
    "auroc",
    "ece",
    "risk",
    "mmlb",
    "fraction",
    "scatter",
    "share",
)
_NATS = ("nll", "entropy", "kl")
_WORDS = {
    "error": "test error",
    "top5_error": "top-5 test error",
    "nll": "test NLL",
    "nll_tempered": "test NLL after temperature scaling",
    "brier": "Brier score",
    "ece": "calibration error (equal width)",
    "ece_mass": "calibration error (equal mass)",
    "mmlb": "MMLB",
    "normalised_mmlb": "normalised MMLB",
    "train_loss": "training loss",
    "train_accuracy_weighted": "training accuracy, weighted by λ",
    "lr": "learning rate",
    "mixed_kl": "floor of the mixing loss",
    "device_seconds": "device time",
    "forward_backward_passes": "forward-backward passes",
    "epochs": "epochs",
}
_Steps = tuple[tuple[float, float, str], ...]
"""From which value on, divided by what, in which unit."""
_SECONDS: _Steps = (
    (2 * 86_400, 86_400.0, "days"),
    (2 * 3600, 3600.0, "hours"),
    (120, 60.0, "minutes"),
    (0, 1.0, "seconds"),
)
_IMAGES: _Steps = ((1e9, 1e9, "10⁹ images"), (1e6, 1e6, "10⁶ images"), (1e4, 1e3, "10³ images"), (0, 1.0, "images"))


def factor(metric: str) -> float:
    """What a stored value is multiplied with: 100 where the axis counts per cent."""
    return 100.0 if _is_share(metric) else 1.0


def axis(metric: str) -> str:
    """The metric in words with the unit of its axis."""
    unit = "%" if _is_share(metric) else "nats" if _words_of(metric).intersection(_NATS) else None
    return words(metric) + (f" [{unit}]" if unit else "")


def words(metric: str) -> str:
    """The metric in words."""
    name, _, where = metric.partition("@")
    said = _WORDS.get(name, name.replace("_", " "))
    return f"{said} ({where})" if where else said


def cost_scale(by: str, largest: float) -> tuple[float, str]:
    """By what a cost is divided, and the axis in words, so that numbers up to the largest are short."""
    match by:
        case "device_seconds":
            steps = _SECONDS
        case "forward_backward_passes":
            steps = _IMAGES
        case _:
            return 1.0, f"{words(by)} of a run"
    _, divisor, unit = next(step for step in steps if largest >= step[0])
    return divisor, f"{words(by)} of a run [{unit}]"


def _is_share(metric: str) -> bool:
    return not _words_of(metric).isdisjoint(_SHARES)


def _words_of(metric: str) -> set[str]:
    """The words of a metric's name: `ece` is one of `ece_mass`, and none of `piece`."""
    return set(metric.partition("@")[0].split("_"))
