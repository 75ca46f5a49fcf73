import math
from typing import Literal

import pytest
import torch

from mmix.data.dataset import Split, Statistics
from mmix.data.loader import Loader
from mmix.errors import Diverged
from mmix.mixing.plan import Plan
from mmix.mixing.policy import policy
from mmix.models.build import build
from mmix.spec.mixing import Erm, InputMixup, ManifoldMixup, Mixing
from mmix.spec.model import Convnet, Mlp, Model, PreActResNet, last_point
from mmix.spec.optimisation import Cosine, Sgd, Training
from mmix.training.criterion import criterion
from mmix.training.loop import Learner, step, train
from mmix.training.optimiser import optimiser
from mmix.training.precision import repeatable

MODELS: tuple[Model, ...] = (
    Mlp(kind="mlp", hidden=(16, 12)),
    Convnet(kind="convnet"),
    PreActResNet(kind="preact_resnet", width=4),
)
MIXING: tuple[Mixing, ...] = (
    Erm(kind="erm"),
    InputMixup(kind="input_mixup", alpha=1.0),
    ManifoldMixup(kind="manifold_mixup", alpha=2.0, layers=(0, 1, 2)),
)
CPU = torch.device("cpu")
PARTNER = torch.tensor([3, 5, 1, 0, 4, 2])


def split() -> Split:
    generator = torch.Generator().manual_seed(0)
    x = torch.randint(0, 256, (24, 1, 8, 8), generator=generator).to(torch.uint8)
    return Split(x=x, y=torch.arange(24) % 5)


def learner(
    model: Model = MODELS[0],
    mixing: Mixing = MIXING[0],
    *,
    lr: float = 0.1,
    loss: Literal["ce", "bce"] = "ce",
    precision: Literal["fp32", "bf16"] = "fp32",
) -> Learner:
    spec = Training(
        schedule=Cosine(kind="cosine"),
        epochs=3,
        batch_size=6,
        optimiser=Sgd(kind="sgd", lr=lr),
        loss=loss,
        precision=precision,
    )
    network = build(model, shape=(1, 8, 8), classes=5, seed=0)
    statistics = Statistics(mean=torch.tensor([0.5]), std=torch.tensor([0.3]))
    return Learner(
        spec=spec,
        seed=0,
        device=CPU,
        model=network,
        optimiser=optimiser(spec.optimiser, network.parameters()),
        criterion=criterion(loss),
        policy=policy(mixing),
        loader=Loader(split(), statistics, batch_size=6, crop_padding=1, flip=True, seed=0),
    )


def weights(trained: Learner) -> dict[str, torch.Tensor]:
    return {name: tensor.clone() for name, tensor in trained.model.state_dict().items()}


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("loss", ["ce", "bce"])
@pytest.mark.parametrize("model", MODELS)
def test_lambda_one_trains_exactly_as_erm(
    model: Model, loss: Literal["ce", "bce"], precision: Literal["fp32", "bf16"]
) -> None:
    with repeatable(device=CPU, threads=1):
        for layer in range(last_point(model) + 1):
            plain, mixed = (learner(model, loss=loss, precision=precision) for _ in range(2))
            plan = Plan(layer, torch.tensor(1.0), PARTNER)
            for x, y in plain.loader.epoch(0):
                outcomes = [step(plain, x, y, None), step(mixed, x, y, plan)]
                assert torch.equal(outcomes[0][0], outcomes[1][0])
                assert torch.equal(outcomes[0][1], outcomes[1][1])
            expected, found = weights(plain), weights(mixed)
            assert all(torch.equal(expected[name], found[name]) for name in expected)


def test_all_methods_of_one_seed_see_the_same_start_and_the_same_batches() -> None:
    first, *others = (learner(mixing=mixing) for mixing in MIXING)
    for other in others:
        assert all(torch.equal(weights(first)[name], weights(other)[name]) for name in weights(first))
        next(train(other, done=0))
        for epoch in range(2):
            batches = zip(first.loader.epoch(epoch), other.loader.epoch(epoch), strict=True)
            assert all(torch.equal(x, x2) and torch.equal(y, y2) for (x, y), (x2, y2) in batches)


@pytest.mark.parametrize("mixing", MIXING)
@pytest.mark.parametrize("model", MODELS)
def test_every_model_learns_under_every_method(model: Model, mixing: Mixing) -> None:
    before = learner(model, mixing)
    initial = weights(before)
    epochs = list(train(before, done=0))
    assert [epoch.number for epoch in epochs] == [1, 2, 3]
    assert all(epoch.images == 24 and 0 <= epoch.accuracy <= 1 for epoch in epochs)
    assert not any(torch.equal(initial[name], tensor) for name, tensor in weights(before).items() if "weight" in name)


def test_training_goes_on_after_the_epochs_that_are_done() -> None:
    assert [epoch.number for epoch in train(learner(), done=2)] == [3]
    assert list(train(learner(), done=3)) == []


def test_activations_stay_bfloat16_when_mixed_in_bf16() -> None:
    seen = []
    trained = learner(Convnet(kind="convnet"), precision="bf16")
    trained.model.stages[1].register_forward_pre_hook(lambda _, given: seen.append(given[0].dtype))
    x, y = next(trained.loader.epoch(0))
    loss, _ = step(trained, x, y, Plan(1, torch.rand(6), PARTNER))
    assert seen == [torch.bfloat16]
    assert loss.dtype == torch.float32


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_a_loss_that_is_no_number_ends_training_with_the_epochs_name() -> None:
    with pytest.raises(Diverged, match=r"epoch [12] is (nan|inf).*training\.optimiser\.lr"):
        list(train(learner(lr=100.0, mixing=MIXING[0], model=Mlp(kind="mlp", hidden=(64,) * 8)), done=0))


def test_repeatable_puts_torchs_state_back() -> None:
    before = torch.are_deterministic_algorithms_enabled(), torch.get_num_threads()
    with repeatable(device=CPU, threads=1):
        assert torch.are_deterministic_algorithms_enabled()
        assert torch.get_num_threads() == 1
    assert (torch.are_deterministic_algorithms_enabled(), torch.get_num_threads()) == before


def test_an_epoch_trains_in_training_mode_whatever_the_mode_before() -> None:
    trained = learner(PreActResNet(kind="preact_resnet", width=4))
    trained.model.eval()
    before = weights(trained)
    next(train(trained, done=0))
    assert not any(
        torch.equal(before[name], tensor) for name, tensor in weights(trained).items() if "running_mean" in name
    )


def test_the_rate_of_each_epoch_is_the_schedules() -> None:
    trained = learner()
    rates = [(epoch.lr, trained.optimiser.param_groups[0]["lr"]) for epoch in train(trained, done=0)]
    expected = [0.1 * 0.5 * (1 + math.cos(math.pi * epoch / 3)) for epoch in range(3)]
    assert rates == [pytest.approx((rate, rate)) for rate in expected]
