import copy
import pickle
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from mmix.errors import SpecError
from mmix.mixing.blend import blend
from mmix.mixing.plan import blending
from mmix.models.dry_run import Witness
from mmix.models.hooked import Hooked
from mmix.models.staged import Staged
from mmix.spec.model import Mlp
from mmix.torchvision_import import torchvision
from tests.models.conftest import PARTNER, Recorder, network, plan_at, samples


def chain() -> Any:
    """Four linear layers with names."""
    widths = {"first": (6, 8), "second": (8, 7), "third": (7, 5), "head": (5, 3)}
    return nn.Sequential(OrderedDict((name, nn.Linear(*each)) for name, each in widths.items()))


def resnet18() -> Any:
    """A network that nobody wrote for mixing."""
    return torchvision("models").resnet18(num_classes=4).eval()


class Answering(nn.Module):
    """A module that answers what it is told to."""

    def __init__(self, answer: object) -> None:
        super().__init__()
        self.answer = answer

    def forward(self, x: Tensor) -> object:
        return self.answer


class Around(nn.Module):
    """Calls its inner module, whatever that answers, so many times; then a head."""

    def __init__(self, inner: nn.Module, times: int = 1) -> None:
        super().__init__()
        self.inner, self.head, self.times = inner, nn.Linear(6, 3), times

    def forward(self, x: Tensor) -> Tensor:
        for _ in range(self.times):
            self.inner(x)
        logits: Tensor = self.head(x)
        return logits


@pytest.mark.parametrize("training", [False, True])
def test_without_a_plan_the_network_is_the_bare_network(training: bool) -> None:
    bare = resnet18().train(training)
    hooked = Hooked(copy.deepcopy(bare), ["layer1", "layer2"])
    x = samples(3, 32, 32)
    assert torch.equal(hooked(x), bare(x))
    assert all(torch.equal(mine, own) for mine, own in zip(hooked.buffers(), bare.buffers(), strict=True))


def test_mixing_at_point_0_is_explicit_input_mixup() -> None:
    bare = resnet18()
    hooked, x = Hooked(copy.deepcopy(bare), ["layer1"]), samples(3, 32, 32)
    assert torch.equal(hooked(x, plan_at(0)), bare(blend(x, lam=torch.tensor(0.3), partner=PARTNER)))


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("layers", [(0,), (1,), (2,), (0, 1, 2)])
def test_hooks_mix_as_stages_do(layers: tuple[int, ...], training: bool) -> None:
    bare = resnet18().train(training)
    hooked = Hooked(copy.deepcopy(bare), ["layer1", "layer2"])
    before = nn.Sequential(bare.conv1, bare.bn1, bare.relu, bare.maxpool, bare.layer1)
    after = nn.Sequential(bare.layer3, bare.layer4, bare.avgpool, nn.Flatten(), bare.fc)
    staged = Staged([before, bare.layer2], after)
    x = samples(3, 32, 32)
    assert torch.equal(hooked(x, plan_at(*layers)), staged(x, plan_at(*layers)))


def test_each_point_is_reached_exactly_once_a_pass_and_only_under_a_plan() -> None:
    hooked, recorder, x = Hooked(chain(), ["first", "third"]), Recorder(), samples(6)
    for done in range(1, 4):
        hooked(x, recorder)
        hooked(x)
        assert [point for point, _ in recorder.shown] == [0, 1, 2] * done


def test_the_state_at_a_point_is_the_output_of_the_module_it_names() -> None:
    module, x, recorder = chain(), samples(6), Recorder()
    hooked = Hooked(module, ["first", "third"])
    hooked(x, recorder)
    first = module.first(x)
    third = module.third(module.second(first))
    assert all(torch.equal(*pair) for pair in zip((x, first, third), (x for _, x in recorder.shown), strict=True))


def test_points_are_numbered_as_listed_and_reached_as_run() -> None:
    recorder = Recorder()
    Hooked(chain(), ["third", "first"])(samples(6), recorder)
    assert [point for point, _ in recorder.shown] == [0, 2, 1]


def test_hooks_stay_where_they_were_placed() -> None:
    hooked, x = Hooked(chain(), ["first", "third"]), samples(6)
    hooks = [dict(module._forward_hooks) for module in hooked.modules()]
    for plan in (plan_at(1), None, plan_at(0, 2)):
        hooked(x, plan)
        assert [dict(module._forward_hooks) for module in hooked.modules()] == hooks


def test_the_plan_is_taken_away_even_where_the_pass_fails() -> None:
    hooked, x = Hooked(chain(), ["first"]), samples(6)
    plain = hooked(x)
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        hooked(samples(5), plan_at(1))
    assert torch.equal(hooked(x), plain)
    assert torch.equal(hooked.module(x), plain)


def test_two_threads_do_not_see_each_others_plans() -> None:
    class Meeting(nn.Module):
        barrier = Barrier(2, timeout=30)

        def forward(self, x: Tensor) -> Tensor:
            self.barrier.wait()
            return x

    linear, x = nn.Linear(6, 3), samples(6)
    hooked = Hooked(nn.Sequential(OrderedDict(meet=Meeting(), linear=linear)), ["meet", "linear"])
    plans = [plan_at(1, lam=0.2), None]
    with ThreadPoolExecutor(2) as pool:
        mixed, plain = pool.map(lambda plan: hooked(x, plan), plans)
    state = blend(x, lam=torch.tensor(0.2), partner=PARTNER)
    assert torch.equal(mixed, linear(state))
    assert torch.equal(plain, linear(x))


def test_a_copy_has_hooks_of_its_own() -> None:
    hooked, x = Hooked(chain(), ["first", "third"]), samples(6)
    expected = hooked(x, plan_at(1))
    for twin in (copy.deepcopy(hooked), pickle.loads(pickle.dumps(hooked))):
        assert torch.equal(twin(x, plan_at(1)), expected)
        assert torch.equal(twin(x), hooked(x))


@pytest.mark.parametrize("staged", [True, False], ids=["staged", "hooked"])
def test_the_compiled_network_mixes_as_the_eager_one(staged: bool) -> None:
    built = network(Mlp(kind="mlp", hidden=(16, 12)))
    eager, x = built if staged else Hooked(built, ["stages.0", "stages.1"]), samples(1, 8, 8)
    compiled = torch.compile(eager, backend="eager", fullgraph=True)
    for layers in ((0,), (1,), (2,), (0, 2), (0,)):  # the second set and later ones meet symbolic layers
        plan = blending(*layers, lam=torch.tensor(0.3), partner=PARTNER)
        assert torch.equal(compiled(x, plan), eager(x, plan))
        assert not torch.equal(compiled(x, plan), eager(x))
    assert torch.equal(compiled(x), eager(x))


def test_one_hooked_network_inside_another_keeps_to_its_own_plan() -> None:
    inner = Hooked(chain(), ["first"])
    outer, recorder = Hooked(inner, ["module.second"]), Recorder()
    outer(samples(6), recorder)
    assert [(point, x.shape[1]) for point, x in recorder.shown] == [(0, 6), (1, 7)]


def test_two_batches_become_one_at_a_hook() -> None:
    module, x = chain(), samples(6)[:4]
    hooked = Hooked(module, ["first"])
    plan = blending(1, lam=torch.tensor(0.3), partner=torch.tensor([2, 3]))
    first = module.first(x)
    assert torch.equal(hooked(x, plan), module[1:](torch.lerp(first[2:], first[:2], torch.tensor(0.3))))


@pytest.mark.parametrize(
    ("points", "message"),
    [
        (["frist"], r"model\.points names 'frist', which .* doesn't have; allowed: first, second, third, head$"),
        (["first", ""], r"model\.points names ''.*allowed: first"),
        (["first", "second", "first"], r"model\.points names 'first' twice"),
    ],
)
def test_names_that_cannot_be_points_are_refused(points: list[str], message: str) -> None:
    with pytest.raises(SpecError, match=message):
        Hooked(chain(), points)


def test_a_name_that_a_large_network_does_not_have_is_told_the_close_ones() -> None:
    with pytest.raises(SpecError, match=r"'layer5', .*allowed: layer4, layer3, .*or another of its 67 modules"):
        Hooked(resnet18(), ["layer5"])
    with pytest.raises(SpecError, match=r"'zzz', .*allowed: conv1, bn1, relu, maxpool, layer1"):
        Hooked(resnet18(), ["zzz"])


def test_a_module_under_two_names_is_refused() -> None:
    module = chain()
    module.add_module("again", module.first)
    with pytest.raises(SpecError, match=r"model\.points names 'first', .*shares under the names first, again"):
        Hooked(module, ["first"])
    part = nn.Sequential(nn.Linear(6, 6))
    shared = nn.Sequential(OrderedDict(one=part, head=nn.Linear(6, 3), two=part))
    with pytest.raises(SpecError, match=r"'one\.0', .*shares under the names one\.0, two\.0"):
        Hooked(shared, ["one.0"])


@pytest.mark.parametrize(
    ("inner", "times", "message"),
    [
        (nn.Linear(6, 6), 2, "calls more than once"),
        (nn.Linear(6, 6), 0, "never calls"),
        (nn.GRU(6, 4, batch_first=True), 1, "whose output is a tuple"),
        (Answering(None), 1, "whose output is a NoneType"),
        (Answering(torch.zeros(())), 1, r"shape \(\) has no row for each of the 5 samples"),
        (Answering(torch.zeros(8, 5)), 1, r"shape \(8, 5\) has no row for each of the 5 samples"),
    ],
    ids=["twice", "never", "tuple", "none", "scalar", "second"],
)
def test_a_module_that_turns_out_to_be_no_point_is_refused(inner: nn.Module, times: int, message: str) -> None:
    hooked = Hooked(Around(inner, times), ["inner"])
    with pytest.raises(SpecError, match=rf"^model\.points names 'inner', .*{message}"):
        hooked(samples(6), Witness())
    hooked(samples(6))  # evaluation asks nothing of its modules


def test_gradients_are_those_of_a_network_that_mixes_by_itself() -> None:
    module, x = chain(), samples(6)
    hooked = Hooked(copy.deepcopy(module), ["second"])
    hooked(x, plan_at(1)).square().sum().backward()
    state = blend(module.second(module.first(x)), lam=torch.tensor(0.3), partner=PARTNER)
    module.head(module.third(state)).square().sum().backward()
    found, expected = ([weight.grad for weight in net.parameters()] for net in (hooked, module))
    torch.testing.assert_close(found, expected, rtol=0, atol=0)
