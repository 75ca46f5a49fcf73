"""Where a run writes, and what it says as it goes."""

from dataclasses import dataclass
from pathlib import Path

from mmix.evaluation.documents import Json


@dataclass(frozen=True)
class Places:
    """The folders of a run. Checkpoints are written to one, and read from it and from those in `resume`.

    What `evaluation.artifacts` asks for is written to `artifacts`, where that is given.
    """

    data: Path
    checkpoints: Path | None = None
    resume: tuple[Path, ...] = ()
    artifacts: Path | None = None


@dataclass(frozen=True)
class Started:
    """Training begins after `resumed_epoch` epochs; `skipped` has a line on each checkpoint passed over."""

    resumed_epoch: int
    epochs: int
    skipped: tuple[str, ...]


@dataclass(frozen=True)
class Trained:
    """An epoch is over; `epoch` counts those done, `metrics` are of training and of the test split."""

    epoch: int
    metrics: dict[str, float]
    seconds: float
    images_per_second: float


@dataclass(frozen=True)
class Saved:
    """The checkpoint of an epoch is on disk."""

    epoch: int
    path: Path
    sha256: str


@dataclass(frozen=True)
class Finished:
    """The results by selection and metric, and what they rest on."""

    results: dict[str, dict[str, float]]
    provenance: dict[str, Json]


Report = Started | Trained | Saved | Finished
