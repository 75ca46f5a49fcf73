from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from mmix.models.staged import Staged
from mmix.training import checkpoint
from mmix.training.learner import Learner, load_state, state
from mmix.training.loop import train
from mmix.training.precision import chance, repeatable
from tests.training.conftest import Make
from tests.training.test_loop import ERM, MIXING, MODELS

OPTIMISERS = ({"kind": "sgd"}, {"kind": "adam", "lr": 0.01})
IDENTITY: checkpoint.Identity = {"digest": "abc", "seed": 3}


@pytest.fixture(autouse=True)
def _exact() -> Any:
    with repeatable(device=torch.device("cpu"), threads=1):
        yield


def dropping() -> nn.Module:
    """A network with everything that has a state or draws by itself."""
    torch.manual_seed(0)
    first = nn.Sequential(nn.Flatten(), nn.Linear(64, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.3))
    return Staged([first, nn.Sequential(nn.Linear(16, 12), nn.ReLU())], nn.Linear(12, 5))


def through_disk(learner: Learner, folder: Path, epoch: int) -> dict[str, torch.Tensor]:
    checkpoint.save(folder, epoch=epoch, tensors=state(learner), history=[], identity=IDENTITY)
    found = checkpoint.newest([folder], identity=IDENTITY).checkpoint
    assert found is not None
    return found.tensors


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
@pytest.mark.parametrize("optimiser", OPTIMISERS)
@pytest.mark.parametrize("mixing", [ERM, *MIXING])
def test_a_resumed_training_equals_an_uninterrupted_one(
    make: Make, mixing: dict[str, Any], optimiser: dict[str, Any], precision: str, tmp_path: Path
) -> None:
    def begin() -> Learner:
        return make(mixing, network=dropping(), optimiser=optimiser, precision=precision, clip_norm=1.0, epochs=4)

    whole, first, second = begin(), begin(), begin()
    expected = list(train(whole, done=0))
    begun = train(first, done=0)
    next(begun), next(begun)
    torch.randn(7)  # what others draw in between is nobody's business
    load_state(second, through_disk(first, tmp_path, 2))
    found = list(train(second, done=2))
    assert [(epoch.loss, epoch.accuracy, epoch.mixing) for epoch in found] == [
        (epoch.loss, epoch.accuracy, epoch.mixing) for epoch in expected[2:]
    ]
    kept, again = state(whole), state(second)
    assert kept.keys() == again.keys()
    assert all(torch.equal(kept[name], again[name]) for name in kept)


def test_everything_that_changes_is_kept(make: Make) -> None:
    mixing = {"kind": "confmix", "confidence": "epoch"}
    trained = make(mixing, network=dropping(), optimiser={"kind": "adam"}, precision="fp16")
    next(train(trained, done=0))
    names = state(trained)
    assert {"memory", "scaler.scale", "scaler._growth_tracker", "model.stages.0.2.running_mean"} < set(names)
    for name, _ in trained.model.named_parameters():
        assert {f"optimiser.{name}.{key}" for key in ("exp_avg", "exp_avg_sq", "step")} < set(names)


def test_a_loss_scale_that_has_changed_comes_back(make: Make) -> None:
    trained, other = make(precision="fp16"), make(precision="fp16")
    trained.scaler.load_state_dict(trained.scaler.state_dict() | {"scale": 2.0**40})  # halved at each overflow
    next(train(trained, done=0))
    load_state(other, state(trained))
    assert other.scaler.state_dict() == trained.scaler.state_dict()
    next(train(other, done=1)), next(train(trained, done=1))
    assert other.scaler.state_dict() == trained.scaler.state_dict()


@pytest.mark.parametrize("optimiser", OPTIMISERS)
def test_buffers_keep_the_memory_format_of_their_weights(make: Make, optimiser: dict[str, Any]) -> None:
    trained, other = (make(model=MODELS[1], optimiser=optimiser) for _ in range(2))
    next(train(trained, done=0))
    load_state(other, state(trained))
    for one, two in zip(trained.model.parameters(), other.model.parameters(), strict=True):
        kept, back = trained.optimiser.state[one], other.optimiser.state[two]
        assert kept.keys() == back.keys()
        assert all(back[key].stride() == two.stride() for key in back if key != "step")
        assert all(torch.equal(kept[key], back[key]) for key in back)


def test_an_epochs_dropout_depends_on_seed_and_epoch_alone(make: Make) -> None:
    first, second = make(network=dropping()), make(network=dropping())
    torch.manual_seed(1)
    before = torch.get_rng_state()
    one = next(train(first, done=0))
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(2)
    assert next(train(second, done=0)).loss == one.loss


def test_seeds_and_epochs_drop_differently() -> None:
    drawn = set()
    for seed, epoch in ((0, 0), (0, 1), (1, 0)):
        with chance(seed=seed, epoch=epoch, device=torch.device("cpu")):
            drawn.add(torch.rand(1).item())
    assert len(drawn) == 3
