"""Small data for each kind: documents are made by the functions that make those of runs."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from mmix.data.toys import gaussian_mixture
from mmix.evaluation import calibration, pictures, realisations, spectrum
from mmix.models.build import build
from mmix.spec.data import GaussianMixture
from mmix.spec.model import Mlp

Data = dict[str, Any]
RUNS = {"ERM": ["run-1", "run-2"], "Manifold Mixup": ["run-3", "run-4"]}
DIGESTS = {"ERM": ["a" * 64], "Manifold Mixup": ["b" * 64]}


def arm(label: str, **shown: Any) -> Data:
    """An arm or a panel of two runs."""
    return {"label": label, "runs": RUNS[label], "digests": DIGESTS[label], **shown}


def mean(value: float, std: float | None = 0.01, n: int = 2) -> Data:
    """A mean over runs."""
    return {"mean": value, "std": std, "n": n}


@pytest.fixture(scope="session")
def plane() -> Data:
    """`boundary.json` of an untrained network on a mixture of three classes, on a coarser grid."""
    data = gaussian_mixture(GaussianMixture(kind="gaussian_mixture", classes=3, points=100, test_size=10))
    found: Data = dict(pictures.boundary(_network(classes=3), data))
    for name in ("x", "y", "probabilities", "bayes"):
        found[name] = found[name][::4]
    for name in ("probabilities", "bayes"):
        found[name] = [row[::4] for row in found[name]]
    return found


@pytest.fixture(scope="session")
def data_of(plane: Data, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Data]:
    """The data of a figure of each kind, with two arms."""
    draw = torch.Generator().manual_seed(0)
    y = torch.arange(120) % 3
    states = torch.randn(120, 6, generator=draw) * torch.arange(1.0, 7) + y[:, None]
    reliability = dict(calibration.document(2 * torch.randn(120, 3, generator=draw), y))
    singular = [dict(each.document()) for each in spectrum.spectra(states, y, classes=3)]
    spectra = {"points": [{"point": point, "spectra": singular} for point in (1, 2)], "classes": ["0", "1", "2"]}
    hidden = dict(pictures.hidden(states, y, point=1, classes=("0", "1", "2")))
    risks = _realisations(tmp_path_factory.mktemp("runs"))
    error = [[[epoch, 0.5 / epoch + 0.02 * seed] for epoch in (1, 2, 3, 4)] for seed in range(2)]
    curves = [{"error": each, **_alphas(seed)} for seed, each in enumerate(error)]
    attacks = {"fgsm_accuracy@pixel:1/255": mean(0.7), "fgsm_accuracy@pixel:8/255": mean(0.4)}
    attacks |= {"pgd20_accuracy@pixel:8/255": mean(0.1), "fgsm_accuracy@normalised:0.03": mean(0.6)}
    deformations = {
        f"deform_accuracy@{name}": mean(0.5)
        for name in ("rotation:20", "rotation:40", "shear:28.6", "zoom_in:60", "zoom_out:120")
    }
    shown: dict[str, Data] = {
        "boundary": {"document": plane},
        "toy": {"document": plane},
        "hidden": {"document": hidden},
        "reliability": {"documents": [reliability, reliability]},
        "spectra": {"documents": [spectra, spectra]},
        "excess_risk": {"documents": [risks]},
        "curves": {"curves": curves},
        "alpha": {"curves": curves},
        "error_nll": {"error": mean(0.05), "nll": mean(0.2)},
        "cost": {"cost": 2e6, "value": mean(0.05)},
        "eps": {"accuracies": attacks, "clean": mean(0.95), "masking_suspected": 0.5},
        "rotation": {"accuracies": deformations, "clean": mean(0.95)},
    }
    panels = ("boundary", "toy", "hidden", "reliability")
    return {
        kind: {"panels" if kind in panels else "arms": [arm(label, **each) for label in RUNS]}
        for kind, each in shown.items()
    }


def _network(*, classes: int) -> nn.Module:
    return build(Mlp(kind="mlp", hidden=(8,)), shape=(2,), classes=classes, seed=0)


def _realisations(folder: Path) -> Data:
    """Eight data sets whose excess risk is their place over 100."""
    results = [
        {"last": {"excess_risk": place / 100, "normalised_mmlb": 0.1 + place / 50, "bayes_risk": 0.1}}
        for place in range(8)
    ]
    found: Data = json.loads(realisations.write(folder, results, data_seeds=range(8), seeds=range(8)).read_text())
    return found


def _alphas(seed: int) -> Data:
    """A quarter of the samples in each of the last four fifths."""
    shares = {f"confmix_alpha_share@{low / 5:.1f}-{(low + 1) / 5:.1f}": 0.25 * (low > 0) for low in range(5)}
    return {name: [[epoch, share] for epoch in (3, 4)] for name, share in shares.items()} | {
        "confmix_alpha": [[3, 0.5 + 0.1 * seed], [4, 0.6]]
    }
