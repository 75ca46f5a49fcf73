"""What a training is said to cost, against the images that were seen to enter the network."""

from typing import Any

import pytest
import torch
from torch import nn

from mmix.data.dataset import Split, Statistics
from mmix.data.loader import Loader
from mmix.mixing.shares import Shares
from mmix.spec.experiment import ExperimentSpec
from mmix.training.learner import Learner
from mmix.training.loop import train
from mmix.training.passes import passes
from tests.conftest import make_spec
from tests.training.conftest import Make

EPOCHS, IMAGES = 3, 24
MIXING: dict[str, dict[str, Any]] = {
    "erm": {"kind": "erm"},
    "cutmix": {"kind": "cutmix"},
    "input, two batches": {"kind": "input_mixup", "alpha": 1.0, "pairing": "two_batches"},
    "hidden, two batches": {"kind": "manifold_mixup", "alpha": 1.0, "layers": [1, 2], "pairing": "two_batches"},
    "both, two batches": {"kind": "manifold_mixup", "alpha": 1.0, "layers": [0, 1, 2], "pairing": "two_batches"},
    "fresh confidence": {"kind": "confmix", "layers": [0, 1], "warmup_epochs": 1},
    "remembered confidence": {"kind": "confmix", "layers": [1], "warmup_epochs": 1, "confidence": "epoch"},
}


def seen(learner: Learner) -> tuple[int, int]:
    """How many images enter the first layer of a whole training with a gradient, and how many without."""
    counted = {True: 0, False: 0}

    def count(module: nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
        counted[torch.is_grad_enabled()] += len(inputs[0])

    first = next(module for module in learner.model.modules() if isinstance(module, nn.Linear))
    first.register_forward_pre_hook(count)
    assert len(list(train(learner, done=0))) == EPOCHS
    return counted[True], counted[False]


def cost(spec: ExperimentSpec, learner: Learner) -> float:
    return passes(spec, seed=learner.seed, images=learner.loader.images, sizes=learner.loader.sizes)


@pytest.mark.parametrize("batch_size", [6, 10, 23])  # no rest, one that is a batch, and one that is dropped
@pytest.mark.parametrize("mixing", MIXING)
def test_the_cost_counts_what_entered_the_network(mixing: str, batch_size: int, make: Make) -> None:
    wanted = make_spec(
        model={"kind": "mlp", "hidden": [16, 12]},
        mixing=MIXING[mixing],
        training={"epochs": EPOCHS, "batch_size": batch_size},
    )
    learner = make(MIXING[mixing], batch_size=batch_size)
    trained, asked = seen(learner)
    assert cost(wanted, learner) == (3 * trained + asked) / 3


def test_plain_training_costs_one_an_image_and_epoch(make: Make) -> None:
    assert cost(make_spec(training={"epochs": EPOCHS}), make()) == EPOCHS * IMAGES


def test_confmix_pays_a_third_more_once_it_mixes(make: Make) -> None:
    mixing = MIXING["fresh confidence"]
    assert cost(make_spec(mixing=mixing, training={"epochs": EPOCHS}), make(mixing)) == IMAGES * (1 + 2 * 4 / 3)


def test_the_cost_is_the_whole_run_s_and_not_a_rank_s() -> None:
    split = Split(x=torch.zeros(IMAGES, 2), y=torch.zeros(IMAGES, dtype=torch.int64))
    still = Statistics(mean=torch.zeros(2), std=torch.ones(2))
    whole, share = (
        Loader(split, still, batch_size=6, seed=0, shares=shares) for shares in (Shares(2), Shares(2, own=1))
    )
    spec = make_spec(mixing=MIXING["remembered confidence"])
    one, other = (passes(spec, seed=0, images=each.images, sizes=each.sizes) for each in (whole, share))
    assert one == other == 2 * IMAGES * 4 / 3
