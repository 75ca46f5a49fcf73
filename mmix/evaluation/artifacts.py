"""The files that a spec may ask for: the logits, and data for figures."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import assert_never

from torch import Tensor, nn

from mmix.data.dataset import Dataset
from mmix.errors import SpecError
from mmix.evaluation import calibration, pictures, spectrum
from mmix.evaluation.documents import Json, write_document, write_logits
from mmix.evaluation.states import states, widths
from mmix.spec.evaluation import Artifact

Spectra = Mapping[int, Sequence[spectrum.Spectrum]]
"""The spectra at each mix point."""


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


def spectra(model: nn.Module, data: Dataset) -> Spectra:
    """The spectra of the test samples' states at each mix point after the input."""
    return {point: _spectra_at(point, model, data) for point in widths(model, shape=data.shape)}


def write(
    wanted: Sequence[Artifact],
    folder: Path,
    *,
    model: nn.Module,
    data: Dataset,
    logits: Tensor,
    y: Tensor,
    spectra: Spectra,
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
                return write_document(folder, artifact, spectrum.UNITS, _spectra_document(spectra, data))
            case "boundary":
                return write_document(folder, artifact, pictures.BOUNDARY_UNITS, pictures.boundary(model, data))
            case "hidden":
                return write_document(folder, artifact, pictures.HIDDEN_UNITS, _hidden_document(model, data))
            case _:
                assert_never(artifact)

    return tuple(written(artifact) for artifact in wanted)


def _spectra_at(point: int, model: nn.Module, data: Dataset) -> list[spectrum.Spectrum]:
    found, labels = states(model, data.test, data.statistics, point=point)
    return spectrum.spectra(found, labels, classes=len(data.classes))


def _spectra_document(spectra: Spectra, data: Dataset) -> Mapping[str, Json]:
    points: list[Json] = [
        {"point": point, "spectra": [each.document() for each in found]} for point, found in spectra.items()
    ]
    return {"points": points, "classes": list(data.classes)}


def _hidden_document(model: nn.Module, data: Dataset) -> Mapping[str, Json]:
    width = widths(model, shape=data.shape)
    narrowest = min(width, key=width.__getitem__)  # the first of equals
    found, labels = states(model, data.test, data.statistics, point=narrowest)
    return pictures.hidden(found, labels, point=narrowest, classes=data.classes)
