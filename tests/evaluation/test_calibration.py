import importlib

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar
from torch import Tensor

from mmix.evaluation.calibration import TEMPERATURES, document, equal_mass, equal_width, temperature
from mmix.evaluation.metrics import metrics, tempered_nll, top5_error
from mmix.torchvision_import import torchvision


def predictions(*, scale: float, samples: int = 600, classes: int = 7, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Logits of a network that is right about half of the time; the larger the scale, the surer it is."""
    generator = torch.Generator().manual_seed(seed)
    y = torch.randint(classes, (samples,), generator=generator)
    logits = torch.randn(samples, classes, generator=generator) + 1.5 * torch.nn.functional.one_hot(y, classes)
    return scale * logits, y


def two_classes(bins: list[tuple[int, float, float]]) -> tuple[Tensor, Tensor]:
    """For each (samples, confidence, accuracy) that many samples whose class 0 has this probability."""
    confidence = torch.cat([torch.full((count,), sure, dtype=torch.float64) for count, sure, _ in bins])
    wrong = [torch.arange(count) >= round(count * right) for count, _, right in bins]
    return torch.stack([confidence, 1 - confidence], dim=1).log(), torch.cat(wrong).long()


UNDER_CONFIDENT = [(100, 0.55, 0.95), (100, 0.65, 0.9), (100, 0.75, 1.0), (100, 0.85, 0.85)]
CROSSED = [(100, 0.55, 0.95), (100, 0.95, 0.55)]  # sorting each side by itself would find no error at all
UNEVEN = [(30, 0.55, 0.5), (10, 0.95, 0.5)]


@pytest.mark.parametrize(
    ("bins", "expected"),
    [(UNDER_CONFIDENT, (0.4 + 0.25 + 0.25 + 0.0) / 4), (CROSSED, 0.4), (UNEVEN, (30 * 0.05 + 10 * 0.45) / 40)],
)
def test_the_error_of_bins_made_by_hand(bins: list[tuple[int, float, float]], expected: float) -> None:
    logits, y = two_classes(bins)
    assert equal_width(logits, y).error == pytest.approx(expected)
    assert equal_mass(logits, y).error == pytest.approx(expected)


@pytest.mark.parametrize("scale", [0.2, 1, 5])
def test_equal_width_agrees_with_torchmetrics(scale: float) -> None:
    torchvision("transforms")
    torchmetrics = importlib.import_module("torchmetrics.functional.classification")
    logits, y = predictions(scale=scale)
    expected = torchmetrics.multiclass_calibration_error(logits.double().softmax(1), y, num_classes=7, n_bins=15)
    assert equal_width(logits, y).error == pytest.approx(expected.item(), abs=1e-6)


@pytest.mark.parametrize("scale", [0.2, 1, 5])
def test_equal_mass_agrees_with_sorting_and_splitting(scale: float) -> None:
    logits, y = predictions(scale=scale)  # 600 samples: 40 a bin
    confidence, predicted = (each.numpy() for each in logits.double().softmax(1).max(1))
    order = np.argsort(confidence)
    gaps = [abs((predicted == y.numpy())[part].mean() - confidence[part].mean()) for part in np.array_split(order, 15)]
    found = equal_mass(logits, y)
    assert found.error == pytest.approx(np.mean(gaps))
    assert found.count.tolist() == [40] * 15


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 40), st.integers(2, 8), st.integers(0, 99), st.sampled_from([0.0, 0.1, 3.0, 300.0]))
def test_every_sample_is_in_one_bin_in_whatever_order_they_come(
    samples: int, classes: int, seed: int, scale: float
) -> None:
    logits, y = predictions(scale=scale, samples=samples, classes=classes, seed=seed)
    order = torch.randperm(samples, generator=torch.Generator().manual_seed(seed))
    for measure in (equal_width, equal_mass):
        found = measure(logits, y)
        assert found.count.sum() == samples
        assert 0 <= found.error <= 1
        assert measure(logits[order], y[order]).error == pytest.approx(found.error)
        rounding = 1e-12  # of a bin's mean
        assert bool(((found.low < found.confidence) & (found.confidence <= found.high + rounding)).all())


def test_a_network_that_knows_how_sure_it_may_be_has_no_error() -> None:
    logits, y = two_classes([(100, 0.6, 0.6), (100, 0.9, 0.9)])
    assert equal_width(logits, y).error == pytest.approx(0)


def test_the_document_holds_what_the_error_follows_from() -> None:
    logits, y = predictions(scale=2)
    for name, found in document(logits, y).items():
        assert isinstance(found, dict)
        count, confidence, accuracy = (np.array(found[key]) for key in ("count", "confidence", "accuracy"))
        again = (count * abs(confidence - accuracy)).sum() / count.sum()
        assert again == pytest.approx(found["error"], abs=1e-6), name


@pytest.mark.parametrize("scale", [0.05, 0.5, 1, 20, 1000])
def test_the_temperature_is_the_one_that_a_search_finds(scale: float) -> None:
    logits, y = predictions(scale=scale)
    expected = minimize_scalar(
        lambda log: tempered_nll(logits, y, temperature=float(np.exp(log))),
        bounds=np.log(TEMPERATURES),
        method="bounded",
        options={"xatol": 1e-9},
    )
    found = temperature(logits, y)
    assert tempered_nll(logits, y, temperature=found) <= expected.fun + 1e-12
    assert found == pytest.approx(np.exp(expected.x), rel=1e-4)


def test_the_temperature_scales_with_the_logits() -> None:
    logits, y = predictions(scale=1)
    assert temperature(7 * logits, y) == pytest.approx(7 * temperature(logits, y))


def test_the_temperature_stays_within_its_bounds() -> None:
    right, wrong = torch.tensor([[5.0, 0.0]]), torch.tensor([[0.0, 5.0]])
    assert temperature(right, torch.tensor([0])) == TEMPERATURES[0]
    assert temperature(wrong, torch.tensor([0])) == TEMPERATURES[1]


def test_tempering_cures_a_wrong_scale_and_leaves_the_predictions_alone() -> None:
    logits, y = predictions(scale=10)
    assert tempered_nll(logits, y, temperature=1) == metrics(logits, y)["nll"]
    assert tempered_nll(logits, y, temperature=temperature(logits, y)) < metrics(logits, y)["nll"] / 2
    calm = logits / temperature(logits, y)
    assert equal_width(calm, y).error < equal_width(logits, y).error / 4
    assert metrics(calm, y)["error"] == metrics(logits, y)["error"]


def test_top5_error_counts_labels_that_are_not_among_five() -> None:
    logits = torch.arange(7.0).repeat(7, 1)  # class 6 is likeliest, 2 the fifth
    assert top5_error(logits, torch.arange(7)) == pytest.approx(2 / 7)
