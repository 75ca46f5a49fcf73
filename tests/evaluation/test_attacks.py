import pytest
import torch
from torch import Tensor, nn

from mmix.data.dataset import Split, Statistics
from mmix.data.pixels import normalise, unit
from mmix.evaluation.attacks import attack, fgsm, normalised_fgsm_direction, pgd, project, uniform
from mmix.evaluation.gradient import gradient
from mmix.evaluation.metrics import metrics
from mmix.evaluation.predict import predict
from mmix.mixing.draw import generator
from mmix.models.build import build
from mmix.models.staged import Staged
from mmix.spec.evaluation import Attack, Fgsm, NormalisedFgsm, Pgd
from mmix.spec.model import Convnet, Gru, Mlp, Model, PreActResNet

MODELS: tuple[Model, ...] = (
    Mlp(kind="mlp", hidden=(16, 12)),
    Convnet(kind="convnet"),
    PreActResNet(kind="preact_resnet", width=4),
    Gru(kind="gru", hidden=8, layers=1),
)
ATTACKS: tuple[Attack, ...] = (
    Fgsm(kind="fgsm", eps=(0, 8)),
    Pgd(kind="pgd", eps=(0, 8), steps=3, restarts=2),
    NormalisedFgsm(kind="fgsm_normalised", eps=(0.0, 0.03)),
)
STATISTICS = Statistics(mean=torch.tensor([0.4]), std=torch.tensor([0.3]))


def split(images: int = 30) -> Split:
    generator = torch.Generator().manual_seed(1)
    x = torch.randint(0, 256, (images, 1, 8, 8), generator=generator).to(torch.uint8)
    return Split(x=x, y=torch.arange(images) % 5)


def network(model: Model) -> nn.Module:
    return build(model, shape=(1, 8, 8), classes=5, seed=0)


def gradient_by_hand(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    x = x.clone().requires_grad_()
    nn.CrossEntropyLoss(reduction="sum")(model((x - 0.4) / 0.3), y).backward()
    assert x.grad is not None
    return x.grad


def fgsm_by_hand(model: nn.Module, x: Tensor, y: Tensor, eps: float) -> Tensor:
    """Goodfellow et al. (2015) in one line."""
    return (x + eps * gradient_by_hand(model, x, y).sign()).clip(0, 1)


def pgd_by_hand(model: nn.Module, x: Tensor, y: Tensor, eps: float, steps: int) -> Tensor:
    """Madry et al. (2018), from the image itself. torchattacks 3.5.1 gives the same to the last bit."""
    found = x.clone()
    for _ in range(steps):
        found = found + eps / 4 * gradient_by_hand(model, found, y).sign()
        found = torch.maximum(torch.minimum(found, x + eps), x - eps).clip(0, 1)
    return found


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.kind)
def test_fgsm_is_the_one_of_the_paper(model: Model) -> None:
    net, data = network(model).eval(), split()
    x = unit(data.x)
    found = fgsm(x, gradient(net, x, data.y, STATISTICS), eps=8)
    # off by float32 rounding of eps and of normalisation, never by a sign
    torch.testing.assert_close(found, fgsm_by_hand(net, x, data.y, 8 / 255), rtol=0, atol=1e-6)


@pytest.mark.parametrize("eps", [1, 8, 64])
@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.kind)
def test_pgd_is_the_one_of_the_paper(model: Model, eps: int) -> None:
    net, data = network(model).eval(), split()
    x = unit(data.x)
    found = pgd(net, x, data.y, STATISTICS, eps=eps, steps=7, start=x)
    torch.testing.assert_close(found, pgd_by_hand(net, x, data.y, eps / 255, 7), rtol=0, atol=1e-6)


@pytest.mark.parametrize("eps", [0, 1, 8, 255])
def test_a_step_stays_inside_its_ball_and_among_pixels(eps: int) -> None:
    x = unit(split().x)
    found = fgsm(x, torch.randn_like(x), eps=eps)
    assert (found - x).abs().max() <= eps / 255 + 1e-7
    assert found.min() >= 0
    assert found.max() <= 1


def test_the_ball_does_not_drift_with_the_steps() -> None:
    net, data = network(Convnet(kind="convnet")).eval(), split()
    x = unit(data.x)
    found = pgd(net, x, data.y, STATISTICS, eps=8, steps=40, start=x + 1)
    assert (found - x).abs().max() <= 8 / 255 + 1e-7
    assert found.min() >= 0
    assert found.max() <= 1


def test_projecting_twice_is_projecting_once() -> None:
    x, around = torch.rand(4, 1, 3, 3) * 3 - 1, torch.rand(4, 1, 3, 3)
    once = project(x, around=around, eps=8)
    torch.testing.assert_close(project(once, around=around, eps=8), once, rtol=0, atol=1e-7)


def test_the_authors_attack_follows_their_loss_in_normalised_space() -> None:
    net, data = network(Convnet(kind="convnet")).eval(), split()
    x = normalise(unit(data.x), STATISTICS).requires_grad_()
    target = nn.functional.one_hot(data.y, 5).float()
    nn.BCELoss()(net(x).softmax(1), target).backward()
    assert x.grad is not None
    direction = normalised_fgsm_direction(net, x, data.y)
    assert torch.equal(direction, x.grad.sign())
    found = attack(net, data, STATISTICS, [NormalisedFgsm(kind="fgsm_normalised", eps=(0.5,))], seed=0)
    with torch.no_grad():
        hits = net(x + 0.5 * direction).argmax(1) == data.y
    assert found == {"fgsm_accuracy@normalised:0.5": pytest.approx(hits.float().mean().item())}


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.kind)
def test_eps_0_is_clean_accuracy_under_every_attack(model: Model) -> None:
    net, data = network(model), split()
    found = attack(net, data, STATISTICS, ATTACKS, seed=0)
    clean = 1 - metrics(predict(net, data, STATISTICS), data.y)["error"]
    assert found["fgsm_accuracy@pixel:0/255"] == pytest.approx(clean)
    assert found["pgd3_accuracy@pixel:0/255"] == pytest.approx(clean)
    assert found["fgsm_accuracy@normalised:0"] == pytest.approx(clean)


@pytest.mark.parametrize("wanted", ATTACKS, ids=lambda wanted: wanted.kind)
def test_more_eps_do_not_disturb_each_other(wanted: Attack) -> None:
    net, data = network(MODELS[1]), split()
    together = attack(net, data, STATISTICS, [wanted], seed=0)
    alone = attack(net, data, STATISTICS, [wanted.model_copy(update={"eps": wanted.eps[1:]})], seed=0)
    assert len(together) == 2
    assert together == together | alone


def trained() -> tuple[Staged, Split]:
    net, data = network(Mlp(kind="mlp", hidden=(32,))), split(20)
    optimiser = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
    for _ in range(100):
        optimiser.zero_grad()
        loss = nn.functional.cross_entropy(net(normalise(unit(data.x), STATISTICS)), data.y)
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    assert isinstance(net, Staged)
    return net, data


def test_an_attack_on_a_trained_network_lowers_its_accuracy_and_pgd_the_most() -> None:
    net, data = trained()
    found = attack(net, data, STATISTICS, [Fgsm(kind="fgsm", eps=(0, 40)), Pgd(kind="pgd", eps=(40,))], seed=0)
    assert found["fgsm_accuracy@pixel:0/255"] == 1
    assert found["pgd20_accuracy@pixel:40/255"] <= found["fgsm_accuracy@pixel:40/255"] < 0.7


def test_the_starts_follow_from_the_seed_and_the_worst_restart_counts() -> None:
    net, data = trained()
    one = Pgd(kind="pgd", eps=(60, 80, 100), steps=2)
    more = one.model_copy(update={"restarts": 10})
    assert attack(net, data, STATISTICS, [one], seed=3) == attack(net, data, STATISTICS, [one], seed=3)
    single, worst = (attack(net, data, STATISTICS, [wanted], seed=3) for wanted in (one, more))
    assert all(worst[name] <= single[name] for name in single)
    assert worst != single
    assert len({tuple(attack(net, data, STATISTICS, [one], seed=seed).values()) for seed in range(5)}) > 1


def test_restarts_begin_anywhere_in_the_ball() -> None:
    found = uniform(generator(seed=0, purpose="attack", epoch=0), (10_000,))
    assert found.min().item() == pytest.approx(-1, abs=0.01)
    assert found.max().item() == pytest.approx(1, abs=0.01)
    assert found.mean().item() == pytest.approx(0, abs=4 * 3**-0.5 / 100)


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.kind)
def test_evaluation_leaves_the_network_as_it_was(model: Model, training: bool) -> None:
    net = network(model).train(training)
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    predict(net, split(), STATISTICS)
    attack(net, split(), STATISTICS, ATTACKS, seed=0)
    assert net.training is training
    assert all(parameter.grad is None for parameter in net.parameters())
    assert all(torch.equal(before[name], tensor) for name, tensor in net.state_dict().items())


def test_attacks_are_float32_inside_an_autocast() -> None:
    net, data = network(Convnet(kind="convnet")), split()
    expected = attack(net, data, STATISTICS, ATTACKS, seed=0)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert attack(net, data, STATISTICS, ATTACKS, seed=0) == expected
        assert predict(net, data, STATISTICS).dtype == torch.float32


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.kind)
def test_predictions_come_in_order_from_more_than_one_batch(model: Model) -> None:
    net, data = network(model), split(700)
    logits = predict(net, data, STATISTICS)
    assert logits.shape == (700, 5)
    last = predict(net, Split(x=data.x[690:], y=data.y[690:]), STATISTICS)
    torch.testing.assert_close(logits[690:], last, rtol=1e-4, atol=1e-5)
