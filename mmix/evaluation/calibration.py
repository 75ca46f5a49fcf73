"""Whether confidence means what it says, and what remains wrong once its scale is put right."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from mmix.evaluation.documents import Json, numbers

BINS = 15  # Source: Guo et al. (2017), section 5
TEMPERATURES = (0.01, 100.0)
"""Where the temperature is looked for."""
UNITS = dict.fromkeys(("low", "high", "confidence", "accuracy", "error"), "fraction") | {"count": "samples"}
HALVINGS = 60  # of the interval: to the precision of float64


@dataclass(frozen=True, eq=False)
class Reliability:
    """Bins of samples by confidence, those without samples left out.

    count, confidence and accuracy (a bin's means): (M,), float64. low, high: (M,), the bin (low, high].
    """

    low: Tensor
    high: Tensor
    count: Tensor
    confidence: Tensor
    accuracy: Tensor

    @property
    def error(self) -> float:
        """The expected calibration error: the gap between each bin's own accuracy and confidence, by its weight."""
        gaps = (self.accuracy - self.confidence).abs()  # bin by bin: sorting either would pair strangers
        return (self.count * gaps).sum().item() / self.count.sum().item()

    def document(self) -> Mapping[str, Json]:
        """The bins as JSON data."""
        bins = {name: numbers(getattr(self, name)) for name in ("low", "high", "count", "confidence", "accuracy")}
        return {"error": self.error, **bins}


def document(logits: Tensor, y: Tensor) -> Mapping[str, Json]:
    """Both reliability diagrams as JSON data. logits: (N, K), any float dtype. y: (N,), int64."""
    return {"ece": equal_width(logits, y).document(), "ece_mass": equal_mass(logits, y).document()}


def equal_width(logits: Tensor, y: Tensor) -> Reliability:
    """15 bins of equal width over [0, 1] of the largest softmax probability, in float64.

    logits: (N, K), any float dtype. y: (N,), int64.
    Source: Guo et al. (2017), equation 3.
    """
    confidence, hits = confidences(logits, y)
    return _reliability(confidence, hits, torch.linspace(0, 1, BINS + 1, dtype=torch.float64)[1:])


def equal_mass(logits: Tensor, y: Tensor) -> Reliability:
    """At most 15 bins of (nearly) equally many samples, in float64.

    logits: (N, K), any float dtype. y: (N,), int64.
    Source: Nixon et al. (2019), section 4, adaptive calibration error, here of the largest probability only.
    Differs: equal confidences share a bin, so that the order of samples is of no account.
    """
    confidence, hits = confidences(logits, y)
    ends = torch.arange(1, BINS + 1) * len(confidence) // BINS - 1
    return _reliability(confidence, hits, confidence.sort().values[ends.clamp(min=0)])


def confidences(logits: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """The largest softmax probability and whether its class is right, each (N,), float64."""
    confidence, predicted = F.softmax(logits.double(), dim=1).max(1)
    return confidence, (predicted == y).double()


def temperature(logits: Tensor, y: Tensor) -> float:
    """The temperature T in [0.01, 100] with the lowest NLL of logits / T; a bound where the optimum lies outside.

    logits: (N, K), any float dtype. y: (N,), int64. The NLL is convex in 1 / T, so its slope is halved in on.
    Source: Guo et al. (2017), section 4.2.
    """
    logits = logits.double()
    true = logits.gather(1, y[:, None]).squeeze(1)

    def slope(inverse: float) -> float:
        return (((inverse * logits).softmax(1) * logits).sum(1) - true).mean().item()

    low, high = 1 / TEMPERATURES[1], 1 / TEMPERATURES[0]
    if slope(high) <= 0:
        return TEMPERATURES[0]  # also where nothing is wrong: the colder, the better
    if slope(low) >= 0:
        return TEMPERATURES[1]
    for _ in range(HALVINGS):
        middle = math.sqrt(low * high)
        low, high = (middle, high) if slope(middle) < 0 else (low, middle)
    return 1 / math.sqrt(low * high)


def _reliability(confidence: Tensor, hits: Tensor, ends: Tensor) -> Reliability:
    """The bins that end at `ends` (never falling, the last at or above all confidences), each with its end."""
    ends = ends.to(confidence.device)
    place = torch.bucketize(confidence, ends).clamp(max=len(ends) - 1)
    count = torch.bincount(place, minlength=len(ends)).double()
    filled = count > 0
    starts = torch.cat([ends.new_zeros(1), ends[:-1]])
    return Reliability(
        low=starts[filled],
        high=ends[filled],
        count=count[filled],
        confidence=torch.bincount(place, confidence, len(ends))[filled] / count[filled],
        accuracy=torch.bincount(place, hits, len(ends))[filled] / count[filled],
    )
