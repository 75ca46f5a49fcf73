"""dynamo's own work is slow, so networks are tiny and each is compiled once for all that is asked of it."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import nn
from torch._dynamo.testing import CompileCounterWithBackend
from torch._dynamo.utils import counters

from mmix.data.dataset import Split, Statistics
from mmix.data.loader import Batch
from mmix.errors import SetupError, SpecError
from mmix.evaluation.attacks import attack
from mmix.evaluation.predict import predict
from mmix.mixing.plan import Plan, blending
from mmix.models.build import build
from mmix.models.hooked import Hooked
from mmix.models.staged import Staged
from mmix.spec.evaluation import Fgsm
from mmix.spec.experiment import ExperimentSpec
from mmix.torchvision_import import torchvision
from mmix.training import compilation
from mmix.training.compilation import Compilation, compile_network, explained
from mmix.training.compilers import missing
from mmix.training.learner import Learner, load_state, state
from mmix.training.loop import step, train
from mmix.training.payoff import cost, payoff
from tests.training.conftest import Make

CPU, CUDA = torch.device("cpu"), torch.device("cuda")
MLP: dict[str, Any] = {"kind": "mlp", "hidden": [8, 8]}
DEEP: dict[str, Any] = {"kind": "mlp", "hidden": [6] * 10}
ERM: dict[str, Any] = {"kind": "erm"}
TO_TEN = list(range(11))


def manifold(*layers: int, **changes: Any) -> dict[str, Any]:
    return {"kind": "manifold_mixup", "alpha": 2.0, "layers": list(layers), **changes}


def spec(model: dict[str, Any], mixing: dict[str, Any], **training: Any) -> ExperimentSpec:
    parts = {"epochs": 12, "batch_size": 6, "compile": "on", **training}
    return ExperimentSpec.model_validate(
        {"model": model, "data": {"kind": "digits"}, "mixing": mixing, "training": parts}
    )


def learners(
    make: Make, mixing: dict[str, Any], *, model: dict[str, Any], network: Callable[[], nn.Module], channels: int = 1
) -> tuple[Learner, Learner, CompileCounterWithBackend]:
    """Two learners alike, the first with a compiled network, and what counts its graphs."""
    counter = CompileCounterWithBackend("aot_eager")
    one, other = network(), network()
    made = compile_network(one, spec(model, mixing), shape=(channels, 8, 8), images=24, device=CPU, backend=counter)
    training: dict[str, Any] = {"model": model, "epochs": 12, "batch_size": 6}
    compiled = replace(make(mixing, network=one, **training), compilation=made)
    return compiled, make(mixing, network=other, **training), counter


def built(model: dict[str, Any], channels: int = 1) -> Callable[[], nn.Module]:
    return lambda: build(spec(model, ERM).model, shape=(channels, 8, 8), classes=5, seed=0)


def small_resnet() -> nn.Module:
    """A network of torchvision with two of its four groups, hooked."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        resnet = torchvision("models.resnet")
        network = resnet.ResNet(resnet.BasicBlock, [1, 1, 1, 1], num_classes=5)
        network.layer3, network.layer4 = nn.Identity(), nn.Identity()
        network.fc = nn.Linear(128, 5)
    return Hooked(network, ["maxpool", "layer1"])


def samples(count: int, channels: int) -> Batch:
    generator = torch.Generator().manual_seed(count)
    x = torch.randn(count, channels, 8, 8, generator=generator).contiguous(memory_format=torch.channels_last)
    return Batch(x, torch.arange(count) % 5, None)


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return list(one) == list(other) and all(torch.equal(one[name], other[name]) for name in one)


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    torch.compiler.reset()
    counters.clear()
    yield
    torch.compiler.reset()


@pytest.mark.parametrize(
    ("mixing", "graphs"),
    [
        (ERM, 1),
        ({"kind": "label_smoothing"}, 1),
        ({"kind": "input_mixup", "alpha": 1.0}, 1),
        (manifold(0, 1, 2), 3),
        (manifold(1, 2, sharing="sample"), 2),
        (manifold(0, 2, pairing="two_batches"), 2),
        (manifold(0, 1, 2, layers_per_batch=2, stop_gradient=True), 3),
        ({"kind": "confmix", "layers": [0, 1], "warmup_epochs": 1}, 4),  # plain, two layers, and to be asked
        ({"kind": "confmix", "layers": [1], "warmup_epochs": 0, "confidence": "epoch"}, 2),
        ({"kind": "cutmix"}, 1),
        ({"kind": "cutmix", "sharing": "sample", "probability": 0.5}, 1),
        ({"kind": "cutout", "size": 4}, 1),
    ],
)
def test_each_way_of_mixing_is_one_graph_and_trains_as_the_uncompiled_one(
    make: Make, mixing: dict[str, Any], graphs: int
) -> None:
    compiled, eager, counter = learners(make, mixing, model=MLP, network=built(MLP))
    losses = [[epoch.loss for epoch in train(learner, done=0)] for learner in (compiled, eager)]
    assert (counter.frame_count, compiled.compilation.graphs, dict(counters["graph_break"])) == (graphs, graphs, {})
    # aot_eager runs the same kernels in the same order: exact, not merely close
    assert losses[0] == losses[1]
    assert same(state(compiled), state(eager))


@pytest.mark.parametrize(
    ("model", "network"),
    [
        ({"kind": "convnet"}, built({"kind": "convnet"}, channels=3)),
        ({"kind": "preact_resnet", "width": 2}, built({"kind": "preact_resnet", "width": 2}, channels=3)),
        (MLP, small_resnet),
    ],
    ids=["convnet", "preact_resnet", "hooked"],
)
def test_every_shape_of_network_compiles_into_a_graph_a_layer(
    make: Make, model: dict[str, Any], network: Callable[[], nn.Module]
) -> None:
    compiled, eager, counter = learners(make, manifold(0, 2), model=model, network=network, channels=3)
    for layer in (0, 2, 0, 2):
        plan = blending(layer, lam=torch.tensor(0.3), partner=torch.tensor([3, 5, 1, 0, 4, 2]))
        outcomes = [step(learner, samples(6, channels=3), plan) for learner in (compiled, eager)]
        assert torch.equal(outcomes[0][0], outcomes[1][0])
    gradients = [[parameter.grad for parameter in learner.model.parameters()] for learner in (compiled, eager)]
    # Exact but for the sums of decomposed reductions, whose order is free.
    torch.testing.assert_close(gradients[0], gradients[1], atol=1e-6, rtol=1e-5)
    assert (counter.frame_count, dict(counters["graph_break"])) == (2, {})


@pytest.mark.parametrize(
    ("mixing", "graphs"),
    [
        (manifold(*TO_TEN), 11),
        (manifold(*TO_TEN, pairing="two_batches"), 21),  # the head sees one batch, every stage before it one or two
        (manifold(*TO_TEN, stop_gradient=True), 21),  # the first stage's input never has a gradient
    ],
)
def test_beyond_eight_points_each_stage_is_compiled_by_itself(make: Make, mixing: dict[str, Any], graphs: int) -> None:
    doubled = 2 if "pairing" in mixing else 1
    compiled, eager, counter = learners(make, mixing, model=DEEP, network=built(DEEP, channels=3), channels=3)
    partner = torch.arange(6) + 6 if doubled == 2 else torch.tensor([3, 5, 1, 0, 4, 2])
    for layer in [*TO_TEN, *TO_TEN]:
        plan = blending(layer, lam=torch.tensor(0.3), partner=partner, stop_gradient="stop_gradient" in mixing)
        for learner in (compiled, eager):
            step(learner, samples(6 * doubled, channels=3), plan)
    assert compiled.compilation.scope == "stages"
    assert (counter.frame_count, compiled.compilation.graphs, dict(counters["graph_break"])) == (graphs, graphs, {})
    assert same(state(compiled), state(eager))


def test_a_deep_network_of_grey_images_trains_with_confidence(make: Make) -> None:
    mixing = {"kind": "confmix", "layers": TO_TEN, "warmup_epochs": 1}
    compiled, eager, counter = learners(make, mixing, model=DEEP, network=built(DEEP))
    losses = [[epoch.loss for epoch in train(learner, done=0)] for learner in (compiled, eager)]
    assert losses[0] == losses[1]
    assert 22 <= counter.frame_count <= compiled.compilation.graphs == 23


def test_a_smaller_last_batch_makes_no_graph(make: Make) -> None:
    compiled, eager, counter = learners(make, ERM, model=MLP, network=built(MLP))
    for size in (6, 4, 6, 4, 5):
        outcomes = [step(learner, samples(size, channels=1), Plan()) for learner in (compiled, eager)]
        assert torch.equal(outcomes[0][0], outcomes[1][0])
    assert counter.frame_count == 1


def test_one_graph_more_than_counted_is_an_error_that_says_what_to_do(make: Make) -> None:
    compiled, _, _ = learners(make, manifold(0, 1), model=MLP, network=built(MLP))
    partner = torch.arange(6)
    plans = [Plan(), *(blending(layer, lam=torch.tensor(0.3), partner=partner) for layer in (0, 1))]
    for plan in plans[:2]:
        step(compiled, samples(6, channels=1), plan)
    with pytest.raises(SpecError, match=r"none of its graphs.*training\.compile to 'off'"), explained():
        step(compiled, samples(6, channels=1), plans[2])


def test_a_graph_that_would_break_is_an_error_that_says_what_to_do(make: Make) -> None:
    class Breaking(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            torch._dynamo.graph_break()
            return x

    network = Staged([nn.Sequential(nn.Flatten(), nn.Linear(64, 5))], Breaking())
    compiled, _, _ = learners(make, ERM, model=MLP, network=lambda: network)
    with pytest.raises(SpecError, match=r"can't be compiled.*training\.compile to 'off'"):
        next(train(compiled, done=0))


def test_evaluating_a_compiled_network_compiles_nothing_and_finds_the_same(make: Make) -> None:
    compiled, eager, counter = learners(make, manifold(0, 1), model=MLP, network=built(MLP))
    split = Split(x=torch.randint(0, 256, (11, 1, 8, 8), dtype=torch.uint8), y=torch.arange(11) % 5)
    statistics = Statistics(mean=torch.tensor([0.5]), std=torch.tensor([0.3]))
    found = [predict(learner.model, split, statistics) for learner in (compiled, eager)]
    fgsm = [Fgsm(kind="fgsm", eps=(8,))]
    attacked = [attack(learner.model, split, statistics, fgsm, seed=0) for learner in (compiled, eager)]
    assert torch.equal(found[0], found[1])
    assert attacked[0] == attacked[1]
    assert counter.frame_count == 0


def test_checkpoints_of_compiled_and_uncompiled_networks_are_interchangeable(make: Make) -> None:
    compiled, eager, _ = learners(make, manifold(*TO_TEN), model=DEEP, network=built(DEEP))
    for first, second in ((compiled, eager), (eager, compiled)):
        next(train(first, done=0))
        load_state(second, state(first))
        assert same(state(first), state(second))
        assert list(first.model.state_dict()) == list(built(DEEP)().state_dict())


def test_short_runs_and_runs_on_a_processor_are_not_compiled_unless_asked() -> None:
    short = spec(MLP, manifold(0, 1), compile="auto").training
    long = spec(MLP, manifold(0, 1), compile="auto", epochs=1000).training
    wide = build(spec({"kind": "preact_resnet"}, ERM).model, shape=(3, 32, 32), classes=10, seed=0)
    expected = [
        payoff(wide, training, shape=(3, 32, 32), images=images, graphs=3, device=device).pays
        for training, images, device in ((short, 100, CUDA), (long, 50_000, CUDA), (long, 50_000, CPU))
    ]
    assert expected == [False, True, False]


def test_the_cost_of_a_network_is_counted_without_touching_it() -> None:
    network = build(spec({"kind": "preact_resnet", "width": 4}, ERM).model, shape=(3, 32, 32), classes=5, seed=0)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    counted = cost(nn.Sequential(nn.Flatten(), nn.Linear(64, 5)), shape=(1, 8, 8))
    assert counted.flops == 2 * 64 * 5
    assert cost(network, shape=(3, 32, 32)).calls > 50
    assert same(dict(network.state_dict()), before)


def compile_on(device: torch.device, model: dict[str, Any], **training: Any) -> Compilation:
    wanted = spec(model, manifold(0, 1), **training)
    network = build(wanted.model, shape=(1, 8, 8), classes=5, seed=0)
    return compile_network(network, wanted, shape=(1, 8, 8), images=24, device=device)


def test_without_a_compiler_only_who_insists_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(SetupError, match=r"C\+\+ compiler here: install g\+\+, or set training\.compile to 'off'"):
        compile_on(CPU, MLP, compile="on")
    assert "install g++" in compile_on(CPU, MLP, compile="auto").why
    assert compile_on(CPU, MLP, compile="off").told() == {"scope": "none", "why": "training.compile is off"}


def test_small_batches_on_a_gpu_run_as_cuda_graphs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compilation, "missing", lambda device: None)
    modes = [compile_on(CUDA, MLP, batch_size=size).mode for size in (100, 512)]
    assert modes == ["reduce-overhead", "default"]
    assert compile_on(CPU, MLP, batch_size=100).mode == "default"
    assert compile_on(CUDA, MLP, batch_size=100, devices=2).mode == "default"


def test_recurrent_networks_are_not_compiled() -> None:
    gru = {"kind": "gru", "hidden": 4, "layers": 2}
    with pytest.raises(SpecError, match="recurrent"):
        compile_on(CPU, gru, compile="on")
    assert "recurrent" in compile_on(CPU, gru, compile="auto").why


@pytest.mark.skipif(missing(CPU) is not None, reason=f"inductor can't work: {missing(CPU)}")
def test_what_inductor_compiles_trains_as_the_uncompiled_network(make: Make) -> None:
    model = {"kind": "mlp", "hidden": [8]}
    wanted = spec(model, manifold(1))
    network = build(wanted.model, shape=(1, 8, 8), classes=5, seed=0)
    made = compile_network(network, wanted, shape=(1, 8, 8), images=24, device=CPU)
    compiled = replace(make(manifold(1), network=network, model=model), compilation=made)
    eager = make(manifold(1), model=model)
    losses = [[epoch.loss for epoch in train(learner, done=0)] for learner in (compiled, eager)]
    assert made.told()["backend"] == "inductor"
    # Fused kernels sum in another order: some units in the last place of float32, grown over twelve steps.
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)
