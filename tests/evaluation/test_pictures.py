import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA

from mmix.data.dataset import Dataset
from mmix.data.toys import gaussian_mixture, spirals
from mmix.evaluation import pictures
from mmix.evaluation.pictures import boundary, hidden, principal
from mmix.models.build import build
from mmix.spec.data import GaussianMixture, Spirals
from mmix.spec.model import Mlp

MIXTURE = gaussian_mixture(GaussianMixture(kind="gaussian_mixture", classes=3, points=500, test_size=10))
SPIRALS = spirals(Spirals(kind="spirals", points=500, test_size=10))


@pytest.mark.parametrize("data", [MIXTURE, SPIRALS], ids=["mixture", "spirals"])
def test_the_boundary_covers_the_training_points_with_probabilities(data: Dataset) -> None:
    net = build(Mlp(kind="mlp", hidden=(8,)), shape=(2,), classes=len(data.classes), seed=0)
    found = boundary(net, data)
    x, y, points, probabilities = (np.array(found[name]) for name in ("x", "y", "points", "probabilities"))
    assert probabilities.shape == (100, 100, len(data.classes))
    np.testing.assert_allclose(probabilities.sum(2), 1, atol=1e-5)
    assert x[0] < points[:, 0].min() < points[:, 0].max() < x[-1]
    assert y[0] < points[:, 1].min() < points[:, 1].max() < y[-1]
    with torch.no_grad():
        corner = net(torch.tensor([[x[7], y[3]]], dtype=torch.float32)).softmax(1)[0]
    np.testing.assert_allclose(probabilities[3, 7], corner, atol=1e-5)


def test_the_best_decision_is_there_where_it_is_known() -> None:
    net = build(Mlp(kind="mlp", hidden=(8,)), shape=(2,), classes=3, seed=0)
    found = boundary(net, MIXTURE)
    x, y, best = (np.array(found[name]) for name in ("x", "y", "bayes"))
    assert MIXTURE.rule is not None
    assert best[3, 7] == MIXTURE.rule(torch.tensor([[x[7], y[3]]]))[0]
    assert boundary(build(Mlp(kind="mlp", hidden=(8,)), shape=(2,), classes=2, seed=0), SPIRALS)["bayes"] is None


def test_a_picture_shows_no_more_points_than_can_be_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "SHOWN", 200)
    net = build(Mlp(kind="mlp", hidden=(8,)), shape=(2,), classes=3, seed=0)
    found = boundary(net, MIXTURE)
    assert len(found["points"]) == len(found["labels"]) == 167  # type: ignore[arg-type]  # every third of 500


def test_principal_components_are_those_of_scikit_learn() -> None:
    states = torch.randn(60, 9, generator=torch.Generator().manual_seed(0)) * torch.arange(1.0, 10)
    fitted = PCA(2).fit(states.double().numpy())
    expected = fitted.transform(states.double().numpy())
    coordinates, explained = principal(states)
    signs = np.sign((coordinates.numpy() * expected).sum(0))
    np.testing.assert_allclose(coordinates.numpy(), expected * signs, atol=1e-9)
    np.testing.assert_allclose(explained.numpy(), fitted.explained_variance_ratio_)
    assert torch.equal(principal(-states)[0].abs(), coordinates.abs())
    assert bool((coordinates.max(0).values == coordinates.abs().max(0).values).all())


@pytest.mark.parametrize("width", [1, 2])
def test_two_numbers_are_shown_as_they_are(width: int) -> None:
    states = torch.arange(6.0).reshape(-1, width)
    found = hidden(states, torch.zeros(len(states), dtype=torch.int64), point=1, classes=("a",))
    assert found["projection"] == "coordinates"
    assert found["coordinates"] == states.tolist()
    assert found["explained"] is None
