import pytest
import torch
from sklearn.metrics import roc_auc_score
from torch import Tensor

from mmix.data.dataset import Split, Statistics
from mmix.data.digits import digits
from mmix.evaluation.ood import auroc, confidences_on, fit, fitted, noise
from mmix.models.build import build
from mmix.spec.evaluation import Noise
from mmix.spec.model import Mlp

GREY = Statistics(mean=torch.tensor([0.4]), std=torch.tensor([0.3]))
UNIFORM, GAUSSIAN = Noise(kind="uniform_noise"), Noise(kind="gaussian_noise")


@pytest.mark.parametrize("digits_kept", [1, 15])  # with one digit, most are ties
def test_auroc_agrees_with_scikit_learn(digits_kept: int) -> None:
    generator = torch.Generator().manual_seed(0)
    known = torch.rand(300, generator=generator, dtype=torch.float64).sqrt().round(decimals=digits_kept)
    strange = torch.rand(500, generator=generator, dtype=torch.float64).round(decimals=digits_kept)
    expected = roc_auc_score([1] * 300 + [0] * 500, torch.cat([known, strange]))
    assert auroc(known, strange) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(("known", "strange", "expected"), [([0.9], [0.1], 1), ([0.1], [0.9], 0), ([0.5], [0.5], 0.5)])
def test_auroc_is_1_where_the_known_are_surer(known: list[float], strange: list[float], expected: float) -> None:
    assert auroc(torch.tensor(known), torch.tensor(strange)) == expected


def test_confidences_tell_apart_what_float32_calls_1() -> None:
    net = build(Mlp(kind="mlp", hidden=(4,)), shape=(1, 2, 2), classes=2, seed=0)
    net.get_parameter("head.weight").data.zero_()
    net.get_parameter("head.bias").data.copy_(torch.tensor([20.0, 0.0]))
    (sure,) = confidences_on(net, [torch.zeros(1, 1, 2, 2)], GREY).tolist()
    assert 1 - 1e-8 < sure < 1


def test_grey_becomes_colour_and_colour_grey() -> None:
    grey, colour = torch.rand(2, 1, 4, 4), torch.rand(2, 3, 4, 4)
    assert torch.equal(fit(grey, (3, 4, 4)), grey.repeat(1, 3, 1, 1))
    assert torch.equal(fit(colour, (1, 4, 4)), colour.mean(1, keepdim=True))
    assert torch.equal(fit(colour, (3, 4, 4)), colour)


@pytest.mark.parametrize("size", [(2, 2), (4, 4), (16, 16)])
def test_another_size_keeps_the_mean(size: tuple[int, int]) -> None:
    x = torch.rand(2, 3, 8, 8)
    x[:, :, [0, -1]] = x[:, :, :, [0, -1]] = 0.5
    found = fit(x, (3, *size))
    assert found.shape == (2, 3, *size)
    torch.testing.assert_close(found.mean((2, 3)), x.mean((2, 3)), rtol=0, atol=0.05)


def test_a_foreign_split_arrives_whole_in_the_network_s_shape() -> None:
    test = digits().test
    found = torch.cat(list(fitted(test, shape=(3, 12, 12), device=torch.device("cpu"))))
    assert found.shape == (len(test), 3, 12, 12)
    assert 0 <= found.min() <= found.max() <= 1


def two_tone(images: int = 1200) -> Split:
    """One dark and one bright channel."""
    x = torch.stack([torch.full((images, 4, 4), 64), torch.full((images, 4, 4), 191)], dim=1).to(torch.uint8)
    x[::2] += 10
    return Split(x=x, y=torch.zeros(images, dtype=torch.int64))


def drawn(wanted: Noise) -> Tensor:
    return torch.cat(list(noise(wanted, two_tone(), shape=(2, 4, 4))))


@pytest.mark.parametrize("wanted", [UNIFORM, GAUSSIAN])
def test_noise_has_the_split_s_size_and_is_always_the_same(wanted: Noise) -> None:
    found = drawn(wanted)
    assert found.shape == (1200, 2, 4, 4)
    assert 0 <= found.min() <= found.max() <= 1
    assert torch.equal(found, drawn(wanted))


def test_gaussian_noise_is_made_of_valid_pixels() -> None:
    x = torch.zeros(100, 1, 4, 4, dtype=torch.uint8)
    x[::2] = 255
    (found,) = noise(GAUSSIAN, Split(x=x, y=torch.zeros(100, dtype=torch.int64)), shape=(1, 4, 4))
    assert (found.min().item(), found.max().item()) == (0, 1)


def test_uniform_noise_is_uniform_and_gaussian_noise_like_the_split() -> None:
    uniform, gaussian = drawn(UNIFORM), drawn(GAUSSIAN)
    assert uniform.mean().item() == pytest.approx(1 / 2, abs=0.01)
    assert uniform.std().item() == pytest.approx(12**-0.5, abs=0.01)
    assert gaussian.mean((0, 2, 3)).tolist() == pytest.approx([69 / 255, 196 / 255], abs=1e-3)
    assert gaussian.std((0, 2, 3)).tolist() == pytest.approx([5 / 255] * 2, abs=1e-3)
