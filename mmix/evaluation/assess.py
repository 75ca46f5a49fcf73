"""Everything that is measured once, on the network of the last epoch."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from torch import Tensor, nn

from mmix.data.dataset import Dataset, Split
from mmix.data.gaussian_mixture import bayes_rule
from mmix.evaluation import artifacts, ood
from mmix.evaluation.attacks import attack
from mmix.evaluation.calibration import TEMPERATURES, confidences, equal_mass, equal_width, temperature
from mmix.evaluation.deformations import deformed_accuracies
from mmix.evaluation.documents import Json
from mmix.evaluation.gradient import gradient_norms
from mmix.evaluation.masking import suspicions
from mmix.evaluation.metrics import tempered_nll, top5_error
from mmix.evaluation.predict import predict
from mmix.evaluation.risk import mixing_bounds, risks
from mmix.spec.data import GaussianMixture
from mmix.spec.evaluation import GRADIENT_METRICS, MASKING, Attack, Noise, Strange, ood_metric
from mmix.spec.experiment import ExperimentSpec

Results = dict[str, float]
Diagnostics = dict[str, Json]


@dataclass(frozen=True)
class Assessment:
    """What was found: metrics by their names in the spec, what is no metric, and the files that were written."""

    results: Results
    diagnostics: Diagnostics
    written: tuple[Path, ...]


def assess(
    model: nn.Module,
    data: Dataset,
    spec: ExperimentSpec,
    *,
    seed: int,
    strange: Mapping[str, Split],
    folder: Path | None,
) -> Assessment:
    """All final metrics that the data admit and the spec asks for.

    The model's mode, weights and gradients are left as they were. `data` lies where the model does; `strange` has
    the test splits of other data sets under the names of their metrics. Without a folder no artifact is written,
    and nothing else changes.

    Raises: SpecError where an artifact makes no sense for data or model, OSError where it can't be written.
    """
    wanted = spec.evaluation
    artifacts.check(wanted.artifacts, model, data)
    # On the CPU: who reads the logits again later finds the same metrics to the last bit, wherever they came from.
    logits, y = predict(model, data.test, data.statistics).cpu(), data.test.y.cpu()
    results = _of_predictions(logits, y) | _risks(data, spec, logits, y)
    results |= deformed_accuracies(model, data.test, data.statistics, wanted.deformations)
    results |= _aurocs(model, data, wanted.ood, strange, known=confidences(logits, y)[0])
    tempered, scale = _tempered(model, data, logits, y)
    attacked, gradients = _robustness(model, data, wanted.attacks, seed)
    seen = artifacts.measure(model, data, spec, seed=seed)
    return Assessment(
        results=results | tempered | attacked | seen.results,
        diagnostics=scale | gradients | ({"spectrum": seen.summaries} if seen.spectra else {}),
        written=()
        if folder is None
        else artifacts.write(wanted.artifacts, folder, model=model, data=data, logits=logits, y=y, found=seen),
    )


def judge(model: nn.Module, data: Dataset, spec: ExperimentSpec) -> Assessment:
    """The final metrics that follow from the predictions on the test split alone: nothing that takes gradients."""
    logits, y = predict(model, data.test, data.statistics).cpu(), data.test.y.cpu()
    tempered, scale = _tempered(model, data, logits, y)
    return Assessment(_of_predictions(logits, y) | _risks(data, spec, logits, y) | tempered, scale, written=())


def _of_predictions(logits: Tensor, y: Tensor) -> Results:
    found = {"ece": equal_width(logits, y).error, "ece_mass": equal_mass(logits, y).error}
    return found | ({"top5_error": top5_error(logits, y)} if logits.shape[1] > 5 else {})


def _risks(data: Dataset, spec: ExperimentSpec, logits: Tensor, y: Tensor) -> Results:
    if data.rule is None or not isinstance(spec.data, GaussianMixture):
        return {}
    return risks(logits, y, x=data.test.x.cpu(), rule=data.rule.to("cpu")) | _bounds(spec.data)


@lru_cache(maxsize=4096)  # of four numbers: a study asks for each data set once an arm, at up to 0.1 s
def _bounds(data: GaussianMixture) -> Results:
    # The data set's seed, not the run's: the bound is the data set's, and the same for all networks.
    return mixing_bounds(bayes_rule(data), seed=data.seed)


def _tempered(model: nn.Module, data: Dataset, logits: Tensor, y: Tensor) -> tuple[Results, Diagnostics]:
    """Nothing without a validation split: a temperature that was fitted on the test split would flatter."""
    if data.validation is None:
        return {}, {}
    split = data.validation.to(data.statistics.mean.device)
    fitted = temperature(predict(model, split, data.statistics).cpu(), split.y.cpu())
    found = {"nll_tempered": tempered_nll(logits, y, temperature=fitted)}
    return found, {"temperature": fitted, "temperature_bounds": list(TEMPERATURES)}


def _robustness(model: nn.Module, data: Dataset, attacks: Sequence[Attack], seed: int) -> tuple[Results, Diagnostics]:
    norms = gradient_norms(model, data.test, data.statistics)
    zeros = (norms == 0).double().mean().item()
    measured = dict(zip(GRADIENT_METRICS, (norms.mean().item(), zeros), strict=True))
    if not attacks:
        return measured, dict(measured)
    found = attack(model, data.test, data.statistics, attacks, seed=seed)
    reasons = suspicions(attacks, found, zero_gradient_fraction=zeros)
    told: Diagnostics = {**measured, MASKING: bool(reasons), "masking_reasons": [*reasons]}
    return found | measured | {MASKING: float(bool(reasons))}, told


def _aurocs(
    model: nn.Module, data: Dataset, wanted: Sequence[Strange], strange: Mapping[str, Split], *, known: Tensor
) -> Results:
    found = {}
    for each in wanted:
        name = ood_metric(each)
        images = (
            ood.noise(each, data.test, shape=data.shape)
            if isinstance(each, Noise)
            else ood.fitted(strange[name], shape=data.shape, device=data.statistics.mean.device)
        )
        found[name] = ood.auroc(known, ood.confidences_on(model, images, data.statistics))
    return found
