import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from mmix.data.dataset import Dataset, Split, Statistics
from mmix.evaluation.mixtures import Mixtures, divergences, mixtures
from mmix.models.staged import Staged
from mmix.spec.experiment import ExperimentSpec
from tests.conftest import make_spec

DEEP = {"kind": "mlp", "hidden": [4, 4]}
INPUT = {"kind": "input_mixup", "alpha": 1.0}
BOTH = {"kind": "manifold_mixup", "alpha": 2.0, "layers": [0, 1]}
LOSSLESS: tuple[dict[str, Any], ...] = (
    {"kind": "erm"},
    {"kind": "cutmix"},
    {"kind": "confmix"},
    {"kind": "input_mixup", "alpha": {"kind": "falling", "half_life": 2.0}},
    {**BOTH, "layers_per_batch": 2},
)


def line(count: int = 600) -> Dataset:
    """One class at 0 and another at 1: a mixture lies where its label's second number says."""
    y = torch.arange(count) % 2
    split = Split(x=y[:, None].float(), y=y)
    still = Statistics(mean=torch.zeros(1), std=torch.ones(1))
    return Dataset("line", split, split, ("left", "right"), still, checksum="")


def network(weight: float, bias: float) -> Staged:
    """x goes through unchanged, and the logits are (-(weight * x + bias), weight * x + bias) / 2."""
    head = nn.Linear(1, 2)
    head.weight.data = torch.tensor([[-weight / 2], [weight / 2]])
    head.bias.data = torch.tensor([-bias / 2, bias / 2])
    return Staged([nn.Identity()], head)


def asking(mixing: dict[str, Any] = INPUT, loss: str = "ce") -> ExperimentSpec:
    return make_spec(model=DEEP, mixing=mixing, training={"epochs": 2, "loss": loss})


def found(net: Staged, spec: ExperimentSpec, *, seed: int = 0, data: Dataset | None = None) -> Mixtures:
    return mixtures(net, data or line(), spec, seed=seed)


def test_the_divergence_of_a_mixed_label_computed_by_hand() -> None:
    target = torch.tensor([[0.75, 0.25], [1.0, 0.0], [0.5, 0.5]], dtype=torch.float64)
    logits = torch.tensor([[0.0, 0.0], [0.0, 0.0], [3.0, 3.0]], dtype=torch.float64)
    expected = [0.75 * math.log(1.5) + 0.25 * math.log(0.5), math.log(2), 0.0]
    assert divergences(logits, target).tolist() == pytest.approx(expected)


def test_no_divergence_is_below_zero() -> None:
    target = torch.rand(1000, 7, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    target /= target.sum(1, keepdim=True)
    own = divergences(target.log(), target)
    assert bool((own >= 0).all())
    assert own.max() < 1e-12


def test_a_network_that_knows_nothing_is_off_by_what_labels_say() -> None:
    # With lambda uniform a label of two classes has an entropy of 1/2 nat on average, and half the pairs are of one.
    measured = found(network(0, 0), asking(), data=line(20_000))
    assert measured.results["mixed_kl"] == pytest.approx(math.log(2) - 0.25, abs=0.01)
    assert measured.results["mixed_confidence@0"] == measured.results["mixed_confidence@1"] == pytest.approx(0.5)


def test_linear_outputs_reach_a_squared_error_of_zero() -> None:
    net = network(2, -1)
    assert isinstance(net.head, nn.Linear)
    net.head.bias.data += 0.5  # (1 - x, x): the mixed label itself
    measured = found(net, asking(loss="mse"))
    assert measured.metric == "mixed_mse"
    assert measured.results["mixed_mse"] == pytest.approx(0, abs=1e-12)
    assert "mixed_kl" not in measured.results


def test_the_loss_is_that_of_the_formula_on_a_linear_network() -> None:
    # At x = t, the share of the second class, the network says sigmoid(w t + b): the pairs' shares are uniform.
    weight, bias = 3.0, -1.0
    share = (torch.arange(100_000, dtype=torch.float64) + 0.5) / 100_000
    of_two = _divergence(share, weight * share + bias).mean().item()
    of_one = _divergence(torch.tensor([0.0, 1.0]).double(), torch.tensor([bias, weight + bias]).double()).mean().item()
    measured = found(network(weight, bias), asking(), data=line(20_000))
    assert measured.results["mixed_kl"] == pytest.approx((of_two + of_one) / 2, abs=0.01)


def _divergence(share: Tensor, logit: Tensor) -> Tensor:
    second = torch.sigmoid(logit)
    first = torch.special.xlogy(1 - share, (1 - share) / (1 - second))
    both: Tensor = first + torch.special.xlogy(share, share / second)
    return both


def test_every_layer_of_a_linear_network_has_the_same_loss() -> None:
    measured = found(network(3, -1), asking(BOTH))
    assert measured.losses[0] == measured.losses[1] > 0
    assert measured.results["mixed_kl"] == pytest.approx(measured.losses[0])


def test_the_pairs_are_the_seed_s_own() -> None:
    one, again, other = (found(network(3, -1), asking(), seed=seed).results for seed in (0, 0, 1))
    assert one == again
    assert one["mixed_kl"] != other["mixed_kl"]


@pytest.mark.parametrize("mixing", LOSSLESS, ids=str)
def test_other_methods_have_a_confidence_in_mixtures_and_no_floor(mixing: dict[str, Any]) -> None:
    assert set(found(network(3, -1), asking(mixing)).results) == {"mixed_confidence@0", "mixed_confidence@1"}


def test_the_network_is_left_in_the_mode_it_had() -> None:
    net = network(3, -1).train()
    found(net, asking())
    assert net.training
