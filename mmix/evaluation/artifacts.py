"""The files that a spec may ask for, the logits and data for figures, and the metrics that sum these up."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import assert_never

from torch import Tensor, nn

from mmix.data.dataset import Dataset
from mmix.errors import SpecError
from mmix.evaluation import calibration, pictures, spectrum
from mmix.evaluation import mixtures as mixing
from mmix.evaluation.documents import Json, write_document, write_logits
from mmix.evaluation.mixtures import Mixtures, mixtures
from mmix.evaluation.spaces import boundary_measures, box_entropy, scatter
from mmix.evaluation.states import narrowest, states, widths
from mmix.spec.evaluation import Artifact, hidden_metric, pooled_spectrum_metric, spectrum_metric
from mmix.spec.experiment import ExperimentSpec

Spectra = Mapping[int, Sequence[spectrum.Spectrum]]
"""The spectra at each mix point."""


@dataclass(frozen=True, eq=False)
class Hidden:
    """The states of test samples at the narrowest layer, (N, D), and their labels, (N,)."""

    point: int
    states: Tensor
    y: Tensor


@dataclass(frozen=True, eq=False)
class Found:
    """What was measured because an artifact was asked for, and the metrics that sum it up."""

    results: dict[str, float]
    spectra: Spectra = field(default_factory=dict)
    hidden: Hidden | None = None
    mixtures: Mixtures | None = None

    @property
    def summaries(self) -> dict[str, Json]:
        """The measures of the spectra by mix point."""
        return {str(point): spectrum.summary(found) for point, found in self.spectra.items()}


def check(wanted: Sequence[Artifact], model: nn.Module, data: Dataset) -> None:
    """Refuses artifacts that make no sense for this model or data.

    Raises: SpecError
    """
    if "boundary" in wanted and data.shape != (2,):
        raise SpecError(
            f"evaluation.artifacts has 'boundary', which needs points in the plane, and a sample of {data.name} "
            f"has the shape {data.shape}: leave it out"
        )
    inner = sorted({"hidden", "spectrum"}.intersection(wanted))
    if inner and model.last_point == 0:
        raise SpecError(
            f"evaluation.artifacts has {inner[0]!r}, which needs a mix point after the input, and this model has "
            "none: name modules in model.points, or leave it out"
        )


def measure(model: nn.Module, data: Dataset, spec: ExperimentSpec, *, seed: int) -> Found:
    """What the spec's artifacts show, as far as it takes the network to know it."""
    wanted = spec.evaluation.artifacts
    spectra = _spectra(model, data) if "spectrum" in wanted else {}
    hidden = _hidden(model, data) if "hidden" in wanted else None
    mixed = mixtures(model, data, spec, seed=seed) if "mixing_loss" in wanted else None
    results = _flatness(spectra)
    results |= {} if hidden is None else _space(hidden, model, data)
    results |= {} if mixed is None else mixed.results
    results |= boundary_measures(model, data) if "boundary" in wanted else {}
    return Found(results, spectra, hidden, mixed)


def write(
    wanted: Sequence[Artifact],
    folder: Path,
    *,
    model: nn.Module,
    data: Dataset,
    logits: Tensor,
    y: Tensor,
    found: Found,
) -> tuple[Path, ...]:
    """Writes each artifact, whole or not at all; the files' paths.

    Raises: StorageError where one can't be written.
    """

    def written(artifact: Artifact) -> Path:
        match artifact:
            case "logits":
                return write_logits(folder, logits, y)
            case "reliability":
                return write_document(folder, artifact, calibration.UNITS, calibration.document(logits, y))
            case "spectrum":
                return write_document(folder, artifact, spectrum.UNITS, _spectra_document(found.spectra, data))
            case "boundary":
                return write_document(folder, artifact, pictures.BOUNDARY_UNITS, pictures.boundary(model, data))
            case "hidden":
                return write_document(folder, artifact, pictures.HIDDEN_UNITS, _hidden_document(found.hidden, data))
            case "mixing_loss":
                assert found.mixtures is not None
                return write_document(folder, artifact, mixing.UNITS, found.mixtures.document())
            case _:
                assert_never(artifact)

    return tuple(written(artifact) for artifact in wanted)


def _spectra(model: nn.Module, data: Dataset) -> Spectra:
    """The spectra of the test samples' states at each mix point after the input."""
    return {point: _spectra_at(point, model, data) for point in widths(model, shape=data.shape)}


def _spectra_at(point: int, model: nn.Module, data: Dataset) -> list[spectrum.Spectrum]:
    found, labels = states(model, data.test, data.statistics, point=point)
    return spectrum.spectra(found, labels, classes=len(data.classes))


def _spectra_document(spectra: Spectra, data: Dataset) -> Mapping[str, Json]:
    points: list[Json] = [
        {"point": point, "spectra": [each.document() for each in found]} for point, found in spectra.items()
    ]
    return {"points": points, "classes": list(data.classes)}


def _flatness(spectra: Spectra) -> dict[str, float]:
    """The measures of each point, averaged over the classes and of all samples; absent where all states are equal."""
    results: dict[str, float] = {}
    for point, found in spectra.items():
        pooled, single = spectrum.pooled(found), spectrum.class_mean(found)
        results |= {spectrum_metric(name, point): value for name, value in single.items()}
        results |= {pooled_spectrum_metric(name, point): value for name, value in pooled.items()}
    return results


def _hidden(model: nn.Module, data: Dataset) -> Hidden:
    point = narrowest(model, shape=data.shape)
    return Hidden(point, *states(model, data.test, data.statistics, point=point))


def _hidden_document(hidden: Hidden | None, data: Dataset) -> Mapping[str, Json]:
    assert hidden is not None
    return pictures.hidden(hidden.states, hidden.y, point=hidden.point, classes=data.classes)


def _space(hidden: Hidden, model: nn.Module, data: Dataset) -> dict[str, float]:
    measured = {
        "scatter": scatter(hidden.states, hidden.y),
        "entropy": box_entropy(model, data, point=hidden.point),
    }
    return {hidden_metric(name, hidden.point): value for name, value in measured.items() if value is not None}
