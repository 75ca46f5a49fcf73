import copy
from typing import get_args

import pytest
import torch

from mmix.errors import SpecError
from mmix.mixing.blend import blend
from mmix.models.staged import Staged
from mmix.spec.model import Convnet, Gru, Model, PreActResNet, Torchvision, WideResNet, last_point, needs_images
from tests.models.conftest import CLASSES, IDS, MODELS, PARTNER, Recorder, network, plan_at, samples

SHAPES = [(1, 8, 8), (3, 8, 8), (1, 32, 32), (3, 32, 32)]
every_model = pytest.mark.parametrize("model", MODELS, ids=IDS)


def test_every_model_is_tested_here() -> None:
    assert {type(model) for model in MODELS} == set(get_args(get_args(Model)[0]))


@pytest.mark.parametrize("shape", SHAPES)
@every_model
def test_a_model_takes_images_of_any_common_shape(model: Model, shape: tuple[int, int, int]) -> None:
    assert network(model, shape)(samples(*shape)).shape == (5, CLASSES)


@every_model
def test_a_model_takes_points_in_the_plane_or_says_what_does(model: Model) -> None:
    if not needs_images(model):
        assert network(model, (2,))(samples(2)).shape == (5, CLASSES)
        return
    with pytest.raises(SpecError, match=rf"model\.kind is '{model.kind}'.*\(2,\): choose 'mlp' or 'bottleneck_mlp'"):
        network(model, (2,))


@every_model
def test_the_network_shows_its_mix_points_in_order_and_each_once(model: Model) -> None:
    net, recorder = network(model), Recorder()
    net(samples(1, 8, 8), recorder)
    assert [point for point, _ in recorder.shown] == list(range(last_point(model) + 1))
    assert net.last_point == len(net.names) == last_point(model)


@every_model
def test_weights_depend_on_the_seed_alone(model: Model) -> None:
    torch.manual_seed(0)
    first = network(model).state_dict()
    torch.randn(10)
    second, other = network(model).state_dict(), network(model, seed=1).state_dict()
    assert all(torch.equal(first[name], second[name]) for name in first)
    weights = [name for name in first if "weight" in name and first[name].dim() > 1]
    assert weights
    assert not any(torch.equal(first[name], other[name]) for name in weights)


@every_model
def test_neither_building_nor_training_draws_from_the_global_generator(model: Model) -> None:
    torch.manual_seed(0)
    before = torch.get_rng_state()
    network(model).train()(samples(1, 8, 8)).sum().backward()
    assert torch.equal(torch.get_rng_state(), before)


@every_model
def test_mixing_at_point_0_is_mixing_the_input(model: Model) -> None:
    x = samples(1, 8, 8)
    mixed = blend(x, lam=torch.tensor(0.3), partner=PARTNER)
    for mode in (False, True):
        net = network(model).train(mode)
        assert torch.equal(net(x, plan_at(0)), copy.deepcopy(net)(mixed))


@every_model
def test_what_lies_behind_a_mix_point_sees_mixed_states(model: Model) -> None:
    net, x = network(model).eval(), samples(1, 8, 8)
    for layer in range(last_point(model) + 1):
        plain, mixed = Recorder(), Recorder()
        net(x, plain)
        plan = plan_at(layer)
        logits = net(x, _Both(mixed, plan))
        for point in range(layer + 1):  # what the plan is shown: at and before its layer, the states as they were
            assert torch.equal(plain.shown[point][1], mixed.shown[point][1])
        assert not torch.allclose(logits, net(x), rtol=1e-3, atol=1e-6)
        for point in range(layer + 1, last_point(model) + 1):
            assert not torch.equal(plain.shown[point][1], mixed.shown[point][1])


class _Both:
    """Shows each state to one mixer and lets the other mix it."""

    def __init__(self, recorder: Recorder, plan: object) -> None:
        self._recorder, self._plan = recorder, plan
        self.last_point_used = 0

    def at(self, point: int, x: torch.Tensor) -> torch.Tensor:
        mixed: torch.Tensor = self._plan.at(point, self._recorder.at(point, x))  # type: ignore[attr-defined]
        return mixed


@every_model
def test_the_gradient_reaches_the_input_through_both_branches_from_every_point(model: Model) -> None:
    for layer in range(last_point(model) + 1):
        net, x = network(model).eval(), samples(1, 8, 8).requires_grad_()
        logits = net(x, plan_at(layer, lam=0.4))
        (gradient,) = torch.autograd.grad(logits[0].square().sum(), x)
        reached = gradient.flatten(1).abs().sum(1) > 0
        assert reached.tolist() == [True, True, False, False, False]


@every_model
def test_the_gradient_reaches_the_layers_before_the_mix_point(model: Model) -> None:
    net = network(model)
    net(samples(1, 8, 8), plan_at(net.last_point)).square().sum().backward()
    assert all(weight.grad is not None and weight.grad.abs().sum() > 0 for weight in [*net.parameters()][:2])


@every_model
def test_without_a_plan_nothing_is_mixed(model: Model) -> None:
    net, x = network(model).eval(), samples(1, 8, 8)
    net(x, plan_at(net.last_point))
    # a batch of another size takes other kernels, whose float32 sums differ in the last bits
    torch.testing.assert_close(net(x)[0], net(x[:1])[0], rtol=1e-4, atol=1e-5)


@every_model
def test_a_layer_outside_the_network_is_a_bug(model: Model) -> None:
    with pytest.raises(AssertionError, match="outside"):
        network(model)(samples(1, 8, 8), plan_at(9))


@every_model
def test_two_batches_may_become_one_at_any_point(model: Model) -> None:
    net, x, halves = network(model).eval(), samples(1, 8, 8)[:4], _Halving()
    for layer in range(last_point(model) + 1):
        halves.layer = layer
        assert net(x, halves).shape == (2, CLASSES)


class _Halving:
    """Mixes the second half of a batch into the first."""

    layer, last_point_used = 0, 0

    def at(self, point: int, x: torch.Tensor) -> torch.Tensor:
        return (x[:2] + x[2:]) / 2 if point == self.layer else x


@pytest.mark.parametrize(
    "model",
    [model for model in MODELS if isinstance(model, Convnet | PreActResNet | WideResNet | Torchvision)],
    ids=lambda model: model.kind,
)
@pytest.mark.parametrize("channels", [1, 3])
def test_images_stay_channels_last_all_the_way(model: Model, channels: int) -> None:
    x = samples(channels, 32, 32).contiguous(memory_format=torch.channels_last)
    recorder = Recorder()
    network(model, (channels, 32, 32))(x, recorder)
    states = [state for _, state in recorder.shown if state.dim() == 4]
    assert len(states) > 1
    assert all(state.is_contiguous(memory_format=torch.channels_last) for state in states)


def test_images_too_small_for_the_convnet_are_refused() -> None:
    with pytest.raises(SpecError, match=r"model\.kind is 'convnet'.*4 x 4.*3 x 8"):
        network(Convnet(kind="convnet"), (3, 3, 8))
    assert network(Convnet(kind="convnet"), (3, 4, 4))(samples(3, 4, 4)).shape == (5, CLASSES)


@pytest.mark.parametrize(
    "model",
    [PreActResNet(kind="preact_resnet", width=4), WideResNet(kind="wide_resnet", depth=10, widen=1), Gru(kind="gru")],
    ids=lambda model: model.kind,
)
def test_the_others_take_images_of_a_single_pixel(model: Model) -> None:
    assert network(model, (1, 1, 1))(samples(1, 1, 1)).shape == (5, CLASSES)


def test_mixing_anywhere_in_a_linear_network_mixes_its_outputs() -> None:
    stages = [torch.nn.Linear(6, 8, bias=False).double(), torch.nn.Linear(8, 5, bias=False).double()]
    net, x = Staged(stages, torch.nn.Linear(5, 3).double()), samples(6).double()
    for layer in range(3):
        plan = plan_at(layer)
        torch.testing.assert_close(net(x, plan), blend(net(x), lam=torch.tensor(0.3), partner=PARTNER))
