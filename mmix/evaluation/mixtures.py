"""How a network answers to mixtures of training samples: the floor of the mixing loss, and its confidence in them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mmix.data.dataset import Dataset
from mmix.data.loader import batch_sizes
from mmix.data.pixels import normalise
from mmix.evaluation.documents import Json
from mmix.evaluation.predict import BATCH, evaluating
from mmix.mixing.draw import generator
from mmix.mixing.mixup import Mixup
from mmix.mixing.plan import one_hot
from mmix.mixing.tables import Tables
from mmix.spec.evaluation import confidence_metric
from mmix.spec.experiment import ExperimentSpec
from mmix.spec.mixing import InputMixup, ManifoldMixup, Mixing, layers_of

PAIRS = 10_000  # of the loss, over all layers
LOOKS = 2000  # mixtures at each point, of which the confidence is the mean: its standard error is at most 0.01
UNITS = {"alpha": "of Beta(alpha, alpha)", "loss": "nats, or squared difference where it is mixed_mse", "*": "fraction"}

Answers = Iterator[tuple[Tensor, Tensor]]
"""Pairs of logits (B, K) and mixed labels (B, K), float64."""


@dataclass(frozen=True)
class Mixtures:
    """The mean loss of mixtures at each layer of the spec, under the metric's name, and the confidence at each point.

    Without losses the spec's method has none that could reach a floor.
    """

    metric: str
    alpha: float | None
    losses: Mapping[int, float]
    confidences: Mapping[int, float]

    @property
    def results(self) -> dict[str, float]:
        """The metrics by name; the loss is the mean over the layers, of which training draws each as often."""
        found = {confidence_metric(point): value for point, value in self.confidences.items()}
        return found | ({self.metric: sum(self.losses.values()) / len(self.losses)} if self.losses else {})

    def document(self) -> Mapping[str, Json]:
        """The same as JSON data."""
        losses: list[Json] = [{"layer": layer, "loss": value} for layer, value in self.losses.items()]
        confidences: list[Json] = [{"point": point, "confidence": each} for point, each in self.confidences.items()]
        return {"metric": self.metric, "alpha": self.alpha, "layers": losses, "points": confidences}


def mixtures(model: nn.Module, data: Dataset, spec: ExperimentSpec, *, seed: int) -> Mixtures:
    """What the network of the last epoch makes of training samples, not augmented, mixed in pairs.

    lambda is each pair's own, whatever the spec shares. Everything is drawn from the tables of the epoch after the
    last, which no training reads; at every layer pairs and lambdas are the same.
    """
    alpha = constant_alpha(spec.mixing)
    layers = layers_of(spec.mixing) if alpha is not None else ()
    metric = "mixed_mse" if spec.training.loss == "mse" else "mixed_kl"
    epoch = spec.training.epochs

    def answers(layer: int, alpha: float, count: int) -> Answers:
        return _answers(model, data, layer=layer, alpha=alpha, count=count, seed=seed, epoch=epoch)

    return Mixtures(
        metric=metric,
        alpha=alpha,
        losses={layer: _loss(metric, answers(layer, alpha or 0.0, PAIRS // len(layers))) for layer in layers},
        confidences={point: _confidence(answers(point, 1.0, LOOKS)) for point in _points(model)},
    )


def constant_alpha(mixing: Mixing) -> float | None:
    """The alpha of a method that blends states at one layer a batch with the same alpha throughout; None of others."""
    match mixing:
        case InputMixup(alpha=float(alpha)) | ManifoldMixup(alpha=float(alpha), layers_per_batch=1):
            return alpha
        case _:
            return None


def divergences(logits: Tensor, target: Tensor) -> Tensor:
    """KL(target || softmax) of each sample in nats, (B,), at least 0. logits, target: (B, K), float64."""
    found = F.kl_div(F.log_softmax(logits, dim=1), target, reduction="none").sum(1)
    return found.clamp(min=0)  # rounding takes it below by 1e-16


def _answers(
    model: nn.Module, data: Dataset, *, layer: int, alpha: float, count: int, seed: int, epoch: int
) -> Answers:
    device, classes = data.statistics.mean.device, len(data.classes)
    sizes = batch_sizes(min(count, len(data.train)), BATCH)
    order = generator(seed=seed, purpose="order", epoch=epoch).permutation(len(data.train))
    chosen = data.train.take(torch.from_numpy(order[: sum(sizes)]).to(data.train.x.device))
    plans = Mixup((layer,), alpha, epochs=1, sharing="sample").epoch(Tables(seed, epoch, sizes, device))
    with evaluating(model), torch.inference_mode():
        for (x, y), plan in zip(chosen.batches(BATCH), plans, strict=True):
            yield model(normalise(x, data.statistics), plan).double(), plan.label(one_hot(y, classes).double())


def _points(model: nn.Module) -> range:
    """All mix points of the network, the input first."""
    last = model.last_point
    assert isinstance(last, int)
    return range(last + 1)


def _loss(metric: str, answers: Answers) -> float:
    found = [
        (logits - target).square().mean(1) if metric == "mixed_mse" else divergences(logits, target)
        for logits, target in answers
    ]
    return torch.cat(found).mean().item()


def _confidence(answers: Answers) -> float:
    return torch.cat([logits.softmax(1).amax(1) for logits, _ in answers]).mean().item()
