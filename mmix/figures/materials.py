"""What each kind of figure needs of a run, and whether a run has it."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, assert_never

from mmix.figures.shapes import KINDS, Kind

Artifact = Literal["boundary", "hidden", "reliability", "spectrum", "realisations"]
Material = Literal["results", "curves"] | Artifact
"""What a kind is drawn from: a run's results, its curves, or the artifact of this name."""


@dataclass(frozen=True)
class Measured:
    """What a run has come to. results: those after the last epoch. documents: its artifacts, as far as asked for."""

    id: str
    seed: int
    results: Mapping[str, float] = field(default_factory=dict)
    provenance: Mapping[str, Any] = field(default_factory=dict)
    curves: Mapping[str, Any] = field(default_factory=dict)
    documents: Mapping[str, Any] = field(default_factory=dict)


def material(kind: Kind) -> Material:
    """What a figure of this kind needs of each run."""
    match kind:
        case "boundary" | "toy":
            return "boundary"
        case "hidden":
            return "hidden"
        case "reliability":
            return "reliability"
        case "spectra":
            return "spectrum"
        case "excess_risk":
            return "realisations"
        case "curves" | "alpha":
            return "curves"
        case "error_nll" | "eps" | "rotation" | "cost":
            return "results"
        case _:
            assert_never(kind)


def possible(*, artifacts: Collection[str], curves: Collection[str], metrics: Collection[str]) -> list[Kind]:
    """The kinds that can be drawn of runs with artifacts, curves and results of these names."""
    found: dict[Kind, bool] = {
        "boundary": "boundary.json" in artifacts,
        "toy": "boundary.json" in artifacts and "bayes_risk" in metrics,
        "excess_risk": "realisations.json" in artifacts and "excess_risk" in metrics,
        "curves": bool(curves),
        "error_nll": {"error", "nll"} <= set(metrics),
        "reliability": "reliability.json" in artifacts,
        "spectra": "spectrum.json" in artifacts,
        "hidden": "hidden.json" in artifacts,
        "eps": any("_accuracy@pixel:" in name or "_accuracy@normalised:" in name for name in metrics),
        "rotation": any(name.startswith("deform_accuracy@") for name in metrics),
        "alpha": "confmix_alpha" in curves,
        "cost": not {"forward_backward_passes", "device_seconds"}.isdisjoint(metrics),
    }
    return [kind for kind in KINDS if found[kind]]


def has(run: Measured, kind: Kind, metric: str) -> bool:
    """Whether the run has what a figure of this kind shows."""
    match kind:
        case "curves":
            return metric in run.curves
        case "alpha":
            return "confmix_alpha" in run.curves
        case "error_nll":
            return all(name in run.results for name in ("error", "nll"))
        case "eps" | "rotation":
            return any(belongs(name, kind) for name in run.results)
        case "cost":
            return metric in run.results
        case _:
            return material(kind) in run.documents


def needed(kind: Kind, metric: str) -> str:
    """In words what a run must have for a figure of this kind."""
    match kind:
        case "curves":
            return f"a curve of {metric!r}"
        case "alpha":
            return "runs of confmix"
        case "error_nll":
            return "results: error and nll"
        case "eps":
            return "accuracies under evaluation.attacks"
        case "rotation":
            return "accuracies under evaluation.deformations"
        case "cost":
            return f"results: {metric}"
        case "excess_risk":
            return "the artifact 'realisations', which runs with data.realisations above 1 leave"
        case _:
            return f"the artifact {material(kind)!r}, for which evaluation.artifacts asks"


def belongs(metric: str, kind: Literal["eps", "rotation"]) -> bool:
    """Whether the accuracy of this name is shown by this kind."""
    return metric.startswith("deform_accuracy@" if kind == "rotation" else ("fgsm_accuracy@", "pgd"))
