"""Where a run writes, and what it says as it goes."""

from dataclasses import dataclass
from pathlib import Path

from mmix.evaluation.documents import Json
from mmix.training.checkpoint import Vouched
from mmix.training.loop import Epoch


@dataclass(frozen=True)
class Places:
    """The folders of a run. Checkpoints are written to one of them, and read from it.

    Where `resume` is given, somebody keeps a register of checkpoints: the run goes on from one of these, the first that
    verifies, and deletes none. What `evaluation.artifacts` asks for is written to `artifacts`, where that is given.
    """

    data: Path
    checkpoints: Path | None = None
    resume: tuple[Vouched, ...] | None = None
    artifacts: Path | None = None


@dataclass(frozen=True)
class Started:
    """Training begins after `resumed_epoch` epochs; `skipped` has a line on each checkpoint passed over."""

    resumed_epoch: int
    epochs: int
    skipped: tuple[str, ...]


@dataclass(frozen=True)
class Trained:
    """An epoch is over; `epoch` counts those done, `step` the optimiser's steps in all.

    `metrics` are of training and of the test split.
    """

    epoch: int
    metrics: dict[str, float]
    step: int
    seconds: float
    images_per_second: float


@dataclass(frozen=True)
class Saved:
    """The checkpoint of an epoch is on disk."""

    epoch: int
    path: Path
    sha256: str


@dataclass(frozen=True)
class Unsaved:
    """An epoch has no checkpoint, as none could be written; the training goes on."""

    epoch: int
    reason: str


@dataclass(frozen=True)
class Finished:
    """The results by selection and metric, and what they rest on, with the names of the artifacts."""

    results: dict[str, dict[str, float]]
    provenance: dict[str, Json]

    @property
    def artifacts(self) -> list[str]:
        """The names of the files that were written where artifacts go."""
        names = self.provenance["artifacts"]
        assert isinstance(names, list)
        return [str(name) for name in names]


Report = Started | Trained | Saved | Unsaved | Finished


def reported(epoch: Epoch, metrics: dict[str, float], *, steps: int) -> Trained:
    """The report of an epoch of so many steps."""
    return Trained(
        epoch=epoch.number,
        metrics=metrics,
        step=epoch.number * steps,
        seconds=epoch.seconds,
        images_per_second=epoch.images / epoch.seconds,
    )
