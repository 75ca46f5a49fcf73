import numpy as np
import pytest
import torch
from torch import Tensor

from mmix.data.dataset import Split, Statistics
from mmix.data.digits import digits
from mmix.evaluation import states as recording
from mmix.evaluation.spectrum import Spectrum, singular_values, spectra, summary
from mmix.evaluation.states import states, widths
from mmix.models.build import build
from mmix.spec.model import BottleneckMlp, Convnet, Mlp, Model, PreActResNet, Torchvision

STATISTICS = Statistics(mean=torch.tensor([0.4]), std=torch.tensor([0.3]))
MODELS: tuple[tuple[Model, dict[int, int]], ...] = (
    (Mlp(kind="mlp", hidden=(16, 12)), {1: 16, 2: 12}),
    (BottleneckMlp(kind="bottleneck_mlp", before=(16,), width=2, after=(8,)), {1: 16, 2: 2, 3: 8}),
    (Convnet(kind="convnet"), {1: 32 * 16, 2: 64 * 4, 3: 64}),
    (PreActResNet(kind="preact_resnet", width=2), {1: 2 * 64, 2: 4 * 16, 3: 8 * 4, 4: 16}),
)


def drawn(samples: int, width: int, *, seed: int = 0) -> Tensor:
    """States far from 0, whose directions differ in length."""
    generator = torch.Generator().manual_seed(seed)
    return 3 + torch.randn(samples, width, generator=generator) * torch.logspace(0, -3, width)


@pytest.mark.parametrize("centred", [False, True])
@pytest.mark.parametrize(("samples", "width"), [(50, 7), (7, 50), (20, 20), (10, 20_000)])
def test_singular_values_are_those_of_numpy(samples: int, width: int, centred: bool) -> None:
    x = drawn(samples, width)
    wide = x.double().numpy()
    expected = np.linalg.svd(wide - wide.mean(0) * centred, compute_uv=False) / np.sqrt(samples)
    np.testing.assert_allclose(singular_values(x, centred=centred), expected, rtol=1e-6, atol=1e-5)


@pytest.mark.parametrize(("samples", "width"), [(100, 2), (5, 300)])
def test_directions_that_are_not_there_count_as_exactly_zero(samples: int, width: int) -> None:
    line = torch.linspace(-1, 1, samples)[:, None] * torch.ones(width)
    found = singular_values(line + 100, centred=True)
    assert found[0] > 0
    assert found[1:].count_nonzero() == 0


def test_the_measures_of_a_spectrum_made_by_hand() -> None:
    even = Spectrum("pooled", True, 9, torch.tensor([2.0, 2.0, 2.0, 0.0], dtype=torch.float64)).measures
    assert even is not None
    assert (even.largest, even.rest, even.ratio) == (2, 4, 2)
    assert even.participation_ratio == pytest.approx(3)
    assert even.effective_rank == pytest.approx(3)
    assert even.rank == 3
    uneven = Spectrum("pooled", True, 9, torch.tensor([3.0, 1.0], dtype=torch.float64)).measures
    assert uneven is not None
    assert uneven.participation_ratio == pytest.approx((9 + 1) ** 2 / (81 + 1))
    assert uneven.effective_rank == pytest.approx(np.exp(-0.75 * np.log(0.75) - 0.25 * np.log(0.25)))


def test_ratio_and_ranks_do_not_change_with_the_scale() -> None:
    values = torch.tensor([3.0, 2.0, 0.5], dtype=torch.float64)
    one, other = (Spectrum("0", True, 3, scale * values).measures for scale in (1, 1e-3))
    assert one is not None
    assert other is not None
    assert other.ratio == pytest.approx(one.ratio)
    assert other.effective_rank == pytest.approx(one.effective_rank)
    assert other.rank == one.rank
    assert other.participation_ratio == pytest.approx(one.participation_ratio)


@pytest.mark.parametrize(("values", "rank"), [([1.0, 0.0], 1), ([9.0, 1.0], 2), ([9.0, 1.0, 0.1], 2), ([11.0, 1.0], 1)])
def test_the_rank_counts_the_directions_that_hold_99_per_cent(values: list[float], rank: int) -> None:
    found = Spectrum("0", True, 3, torch.tensor(values, dtype=torch.float64)).measures
    assert found is not None
    assert found.rank == rank


def test_states_that_are_all_equal_have_no_measures() -> None:
    (found, _) = [each for each in spectra(torch.ones(8, 3), torch.arange(8) % 2, classes=3) if each.name == "0"]
    assert found.measures is not None  # about 0 there is one direction
    nothing = spectra(torch.ones(8, 3), torch.arange(8) % 2, classes=3)
    assert all(each.measures is None for each in nothing if each.centred)
    assert summary(nothing) == {"pooled": None, "class_mean": None}


def test_there_is_a_spectrum_for_all_and_for_each_class_that_occurs() -> None:
    y = torch.tensor([0, 0, 0, 2, 2, 2, 2])
    x = drawn(7, 5)
    found = spectra(x, y, classes=4)
    assert [(each.name, each.centred, each.samples) for each in found] == [
        (name, centred, count) for name, count in (("pooled", 7), ("0", 3), ("2", 4)) for centred in (False, True)
    ]
    assert torch.equal(found[5].values, singular_values(x[3:], centred=True))
    summed = summary(found)
    mean = (found[3].measures.largest + found[5].measures.largest) / 2  # type: ignore[union-attr]
    assert summed["class_mean"]["largest"] == pytest.approx(mean)  # type: ignore[index, call-overload]


@pytest.mark.parametrize(("model", "expected"), MODELS, ids=lambda each: getattr(each, "kind", ""))
def test_states_of_every_point_are_recorded(model: Model, expected: dict[int, int]) -> None:
    net, test = build(model, shape=(1, 8, 8), classes=10, seed=0), digits().test
    assert widths(net, shape=(1, 8, 8)) == expected
    for point, width in expected.items():
        found, labels = states(net, test, STATISTICS, point=point)
        assert found.shape == (len(test), width)
        assert torch.equal(labels, test.y)
    assert net.training


def test_a_network_that_knows_nothing_of_mixing_is_recorded_too() -> None:
    model = Torchvision(kind="torchvision", name="resnet18", points=("layer4",))
    net = build(model, shape=(3, 32, 32), classes=2, seed=0)
    split = Split(x=torch.zeros(4, 3, 32, 32, dtype=torch.uint8), y=torch.tensor([0, 1, 0, 1]))
    found, _ = states(net, split, Statistics(mean=torch.zeros(3), std=torch.ones(3)), point=1)
    assert found.shape == (4, 512)


def test_of_many_samples_some_are_looked_at_and_always_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    net, test = build(MODELS[0][0], shape=(1, 8, 8), classes=10, seed=0), digits().test
    every, _ = states(net, test, STATISTICS, point=1)
    monkeypatch.setattr(recording, "SAMPLES", 100)
    found, labels = states(net, test, STATISTICS, point=1)
    place = torch.cdist(found, every).argmin(1)
    assert len(set(place.tolist())) == 100
    assert torch.equal(labels, test.y[place])
    assert len(set(labels.tolist())) == 10
    assert torch.equal(found, states(net, test, STATISTICS, point=1)[0])
