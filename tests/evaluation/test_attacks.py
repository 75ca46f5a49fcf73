import pytest
import torch
from torch import Tensor, nn

from mmix.data.dataset import Split, Statistics
from mmix.data.pixels import normalise, unit
from mmix.evaluation.attacks import attack, fgsm, gradient
from mmix.evaluation.metrics import metrics
from mmix.evaluation.predict import predict
from mmix.models.build import build
from mmix.models.staged import Staged
from mmix.spec.evaluation import Fgsm
from mmix.spec.model import Convnet, Mlp, Model, PreActResNet

MODELS: tuple[Model, ...] = (
    Mlp(kind="mlp", hidden=(16, 12)),
    Convnet(kind="convnet"),
    PreActResNet(kind="preact_resnet", width=4),
)
STATISTICS = Statistics(mean=torch.tensor([0.4]), std=torch.tensor([0.3]))


def split(images: int = 30) -> Split:
    generator = torch.Generator().manual_seed(1)
    x = torch.randint(0, 256, (images, 1, 8, 8), generator=generator).to(torch.uint8)
    return Split(x=x, y=torch.arange(images) % 5)


def network(model: Model) -> Staged:
    return build(model, shape=(1, 8, 8), classes=5, seed=0)


def by_hand(model: nn.Module, x: Tensor, y: Tensor, eps: float) -> Tensor:
    """Goodfellow et al. (2015) in three lines, with normalisation written out."""
    x = x.clone().requires_grad_()
    nn.CrossEntropyLoss(reduction="sum")(model((x - 0.4) / 0.3), y).backward()
    return (x + eps * x.grad.sign()).clip(0, 1).detach()  # type: ignore[union-attr]


@pytest.mark.parametrize("model", MODELS)
def test_fgsm_is_the_one_of_the_paper(model: Model) -> None:
    net, data = network(model).eval(), split()
    x = unit(data.x)
    found = fgsm(x, gradient(net, x, data.y, STATISTICS), eps=8)
    # off by float32 rounding of eps and of normalisation, never by a sign
    torch.testing.assert_close(found, by_hand(net, x, data.y, 8 / 255), rtol=0, atol=1e-6)


@pytest.mark.parametrize("eps", [0, 1, 8, 255])
def test_a_step_stays_inside_its_ball_and_among_pixels(eps: int) -> None:
    x = unit(split().x)
    found = fgsm(x, torch.randn_like(x), eps=eps)
    assert (found - x).abs().max() <= eps / 255 + 1e-7
    assert found.min() >= 0
    assert found.max() <= 1


@pytest.mark.parametrize("model", MODELS)
def test_eps_0_is_clean_accuracy_and_more_eps_do_not_disturb_each_other(model: Model) -> None:
    net, data = network(model), split()
    together = attack(net, data, STATISTICS, [Fgsm(kind="fgsm", eps=(0, 4, 16))])
    clean = 1 - metrics(predict(net, data, STATISTICS), data.y)["error"]
    assert together["fgsm_accuracy@pixel:0/255"] == pytest.approx(clean)
    alone = attack(net, data, STATISTICS, [Fgsm(kind="fgsm", eps=(16,))])
    assert together["fgsm_accuracy@pixel:16/255"] == alone["fgsm_accuracy@pixel:16/255"]


def test_an_attack_on_a_trained_network_lowers_its_accuracy() -> None:
    net, data = network(Mlp(kind="mlp", hidden=(32,))), split(20)
    optimiser = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
    for _ in range(100):
        optimiser.zero_grad()
        loss = nn.functional.cross_entropy(net(normalise(unit(data.x), STATISTICS)), data.y)
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    found = attack(net, data, STATISTICS, [Fgsm(kind="fgsm", eps=(0, 64))])
    assert found["fgsm_accuracy@pixel:0/255"] == 1
    assert found["fgsm_accuracy@pixel:64/255"] < 0.5


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("model", MODELS)
def test_evaluation_leaves_the_network_as_it_was(model: Model, training: bool) -> None:
    net = network(model).train(training)
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    predict(net, split(), STATISTICS)
    attack(net, split(), STATISTICS, [Fgsm(kind="fgsm")])
    assert net.training is training
    assert all(parameter.grad is None for parameter in net.parameters())
    assert all(torch.equal(before[name], tensor) for name, tensor in net.state_dict().items())


@pytest.mark.parametrize("model", MODELS)
def test_predictions_come_in_order_from_more_than_one_batch(model: Model) -> None:
    net, data = network(model), split(700)
    logits = predict(net, data, STATISTICS)
    assert logits.shape == (700, 5)
    last = predict(net, Split(x=data.x[690:], y=data.y[690:]), STATISTICS)
    torch.testing.assert_close(logits[690:], last, rtol=1e-4, atol=1e-5)
