"""How people read a metric's values: fractions in per cent, seconds as they are."""

_SHARES = frozenset({"error", "accuracy", "auroc", "ece", "risk", "mmlb", "fraction", "scatter", "suspected"})
_NATS = frozenset({"nll", "entropy", "kl"})


def factor(metric: str) -> float:
    """What a stored value is multiplied with."""
    return 100.0 if _is_share(metric) else 1.0


def unit(metric: str) -> str:
    """The unit in which it is then shown; empty where it has none."""
    if _is_share(metric):
        return "%"
    if _words(metric) & _NATS:
        return "nats"
    return "s" if metric.endswith("_seconds") else ""


def heading(metric: str) -> str:
    """The metric's name with its unit."""
    return f"{metric} [{unit(metric)}]" if unit(metric) else metric


def shown(metric: str, value: float | None) -> str:
    """A value, or a dash."""
    if value is None:
        return "-"
    size = value * factor(metric)
    return f"{size:.2f}" if _is_share(metric) else f"{size:.4g}"


def spread(metric: str, mean: float | None, std: float | None) -> str:
    """A mean and its standard deviation, with as many digits."""
    if mean is None or std is None:
        return shown(metric, mean)
    if _is_share(metric):
        return f"{100 * mean:.2f} ± {100 * std:.2f}"
    digits = max(0, 3 - _magnitude(mean))
    return f"{mean:.{digits}f} ± {std:.{digits}f}"


def interval(metric: str, bounds: list[float] | None) -> str:
    """The 95 % interval, or a dash."""
    return "-" if bounds is None else f"{shown(metric, bounds[0])} to {shown(metric, bounds[1])}"


def _magnitude(value: float) -> int:
    """Digits before the point, less one."""
    size, found = abs(value), 0
    while size >= 10:
        size, found = size / 10, found + 1
    while 0 < size < 1:
        size, found = size * 10, found - 1
    return found


def _is_share(metric: str) -> bool:
    return bool(_words(metric) & _SHARES)


def _words(metric: str) -> set[str]:
    return set(metric.partition("@")[0].split("_"))
