"""What a trainer prints as it goes: a line for whoever reads its log."""

from collections.abc import Iterator, Mapping
from datetime import timedelta

from mmix.run.reports import Finished, Started
from worker import wire

_TOLD = ("train_loss", "error")


def started(report: Started, *, device: str, threads: int) -> Iterator[str]:
    """The checkpoints that were passed over, and where the training begins."""
    yield from (f"passed over a checkpoint: {reason}" for reason in report.skipped)
    begun = f"resumed after epoch {report.resumed_epoch}" if report.resumed_epoch else "fresh"
    yield f"training on {device}, {threads} thread{'s' if threads > 1 else ''}, {begun}, of {report.epochs} epochs"


def trained(told: wire.Trained, *, epochs: int) -> str:
    """How an epoch went, and how long the others may take."""
    speed = f"{told.images_per_second:,.0f} images/s"
    left = f"{timedelta(seconds=round(told.seconds_left))} left"
    return ", ".join([f"epoch {told.epoch}/{epochs}", *_values(told.metrics), speed, left])


def unsaved(epoch: int, reason: str) -> str:
    """Why an epoch has no checkpoint."""
    return f"no checkpoint of epoch {epoch}, the training goes on: {reason}"


def finished(report: Finished, *, seconds: float) -> str:
    """What came of it, and how long it took with everything."""
    return ", ".join(["finished", *_values(report.results["last"]), f"{seconds:.1f} s in all"])


def _values(metrics: Mapping[str, float]) -> list[str]:
    return [f"{name} {metrics[name]:.4f}" for name in _TOLD if name in metrics]
