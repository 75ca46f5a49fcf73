"""How many directions the states of a class fill, and how evenly: the flattening of the paper."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import fmean

import torch
from torch import Tensor

from mmix.evaluation.documents import Json, numbers

POOLED = "pooled"  # the name of the spectrum of all classes
HELD = 0.99  # of the variance, by the directions that count
COLUMNS = 8192  # of the states that are in float64 at a time
UNITS = {"singular_values": "standard deviations of the states, as the layer scales them"}


@dataclass(frozen=True)
class Measures:
    """What sums up a spectrum s: the largest s, the sum of the others, and rest / largest.

    participation_ratio: (sum s^2)^2 / sum s^4. effective_rank: the exponential of the entropy of s / sum s. Both
    count directions, and are R where R values are equal and the others 0. rank: the fewest directions that together
    hold 99 % of sum s^2.
    Source: Manifold Mixup (arXiv:1806.05236), section 3.2 (largest, rest); Roy and Vetterli (2007).
    """

    largest: float
    rest: float
    ratio: float
    participation_ratio: float
    effective_rank: float
    rank: float


@dataclass(frozen=True, eq=False)
class Spectrum:
    """The singular values of some states, falling, float64, over the square root of their number."""

    name: str
    centred: bool
    samples: int
    values: Tensor

    @property
    def measures(self) -> Measures | None:
        """None where all states are equal (or 0, where they aren't centred)."""
        largest, total = self.values.max().item(), self.values.sum().item()
        if largest == 0:
            return None
        squares = (self.values / largest).square()
        return Measures(
            largest=largest,
            rest=total - largest,
            ratio=total / largest - 1,
            participation_ratio=(squares.sum().square() / squares.square().sum()).item(),
            effective_rank=torch.special.entr(self.values / total).sum().exp().item(),
            rank=(squares.cumsum(0) < HELD * squares.sum()).sum().item() + 1.0,
        )

    def document(self) -> Mapping[str, Json]:
        """The spectrum as JSON data."""
        return {
            "name": self.name,
            "centred": self.centred,
            "samples": self.samples,
            "measures": asdict(self.measures) if self.measures else None,
            "singular_values": numbers(self.values),
        }


def spectra(states: Tensor, y: Tensor, *, classes: int) -> list[Spectrum]:
    """The spectra of all states ("pooled") and of those of each class ("0", ...), about 0 and about their mean.

    states: (N, D). y: (N,), int64. The paper doesn't say whether it centres, so both are here.
    """
    groups = {POOLED: states} | {str(label): states[y == label] for label in range(classes) if (y == label).any()}
    return [
        Spectrum(name, centred, len(group), singular_values(group, centred=centred))
        for name, group in groups.items()
        for centred in (False, True)
    ]


def summary(spectra: Sequence[Spectrum]) -> dict[str, Json]:
    """The measures about the mean: of all samples, and averaged over the classes."""
    return {"pooled": pooled(spectra) or None, "class_mean": class_mean(spectra) or None}


def pooled(spectra: Sequence[Spectrum]) -> dict[str, float]:
    """The measures of all samples about their mean; none where all states are equal."""
    return next((asdict(each.measures) for each in _centred(spectra) if each.name == POOLED and each.measures), {})


def class_mean(spectra: Sequence[Spectrum]) -> dict[str, float]:
    """The measures of each class about its mean, averaged over the classes whose states aren't all equal."""
    single = [asdict(each.measures) for each in _centred(spectra) if each.name != POOLED and each.measures]
    return {name: fmean(found[name] for found in single) for name in single[0]} if single else {}


def _centred(spectra: Sequence[Spectrum]) -> list[Spectrum]:
    return [each for each in spectra if each.centred]


def singular_values(states: Tensor, *, centred: bool) -> Tensor:
    """The min(N, D) singular values over the square root of N, falling, float64.

    states: (N, D). They are roots of eigenvalues of the smaller of the two matrices of inner products, which costs
    a tenth of a decomposition of wide states; what rounding leaves of a zero (up to 1e-6 of the whole) counts as 0.
    """
    samples, width = states.shape
    centre = states.mean(0, dtype=torch.float64) if centred else torch.zeros(width, dtype=torch.float64)
    eigenvalues = torch.linalg.eigvalsh(_products(states, centre)).flip(0)
    whole = states.square().sum(dtype=torch.float64)
    noise = len(eigenvalues) * torch.finfo(torch.float64).eps * whole
    return torch.where(eigenvalues > noise, eigenvalues, 0.0).div(samples).sqrt()


def _products(states: Tensor, centre: Tensor) -> Tensor:
    """The inner products of the states about the centre, (N, N), or of their columns, (D, D), if these are fewer."""
    samples, width = states.shape
    if width <= samples:
        moved = states - centre
        return moved.T @ moved
    products = torch.zeros(samples, samples, dtype=torch.float64)
    for start in range(0, width, COLUMNS):
        part = slice(start, start + COLUMNS)
        moved = states[:, part] - centre[part]
        products += moved @ moved.T
    return products
