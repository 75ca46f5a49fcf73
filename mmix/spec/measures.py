"""Which metrics a run of a spec ends with."""

from mmix.spec.data import GaussianMixture, Points, realisations_of
from mmix.spec.evaluation import (
    DEVICE_SECONDS,
    FINAL_METRICS,
    HIDDEN_MEASURES,
    MASKING,
    METRICS,
    NETWORK_METRICS,
    PASSES,
    SPECTRUM_MEASURES,
    attack_metric,
    confidence_metric,
    deformation_metric,
    hidden_metric,
    ood_metric,
    pooled_spectrum_metric,
    spectrum_metric,
)
from mmix.spec.experiment import ExperimentSpec
from mmix.spec.model import last_point


def measured(spec: ExperimentSpec) -> tuple[str, ...]:
    """The names of all metrics that results of `last` may have; a network or data may still lack one or the other."""
    wanted = spec.evaluation
    return (
        *METRICS,
        *(name for name in FINAL_METRICS if _follows(name, spec)),
        *(attack_metric(attack, eps) for attack in wanted.attacks for eps in attack.eps),
        *(deformation_metric(each.kind, amount) for each in wanted.deformations for amount in each.amounts),
        *(ood_metric(strange) for strange in wanted.ood),
        *(name for name in NETWORK_METRICS if _is_told(name, spec)),
        *_of_states(spec),
    )


def _follows(metric: str, spec: ExperimentSpec) -> bool:
    """Whether a metric of the last epoch's predictions can be had from these data."""
    match metric:
        case "top5_error":
            return not isinstance(spec.data, Points) or spec.data.classes > 5
        case "nll_tempered":
            return spec.data.validation_size > 0
        case "ece" | "ece_mass":
            return True
        case _:
            return isinstance(spec.data, GaussianMixture)  # risks and bounds need a Bayes rule


def _is_told(metric: str, spec: ExperimentSpec) -> bool:
    """Whether a run of this spec tells this of itself or its network."""
    if metric in (PASSES, DEVICE_SECONDS):
        return True
    if metric == MASKING:
        return bool(spec.evaluation.attacks)
    if metric.startswith("mixed_"):
        return "mixing_loss" in spec.evaluation.artifacts
    if metric.startswith("boundary_"):
        return "boundary" in spec.evaluation.artifacts
    if metric.startswith("confmix_") and spec.mixing.kind != "confmix":
        return False
    return realisations_of(spec.data) == 1


def _of_states(spec: ExperimentSpec) -> list[str]:
    points = range(1, last_point(spec.model) + 1)
    found: list[str] = []
    if "spectrum" in spec.evaluation.artifacts:
        named = (spectrum_metric, pooled_spectrum_metric)
        found += [name(measure, point) for name in named for measure in SPECTRUM_MEASURES for point in points]
    if "hidden" in spec.evaluation.artifacts:
        found += [hidden_metric(measure, point) for measure in HIDDEN_MEASURES for point in points]
    if "mixing_loss" in spec.evaluation.artifacts:
        found += [confidence_metric(point) for point in (0, *points)]
    return found
