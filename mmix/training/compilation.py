"""Compiles a network in place, so that training runs a graph for each way in which its states are mixed.

`module.compile` leaves the names of a network's tensors alone: checkpoints and wrappers see the network that they
knew. Each graph is whole and of fixed shapes; where one more is needed than was counted beforehand, or where a graph
would break, training ends in an error, as torch would otherwise go on without compiling and say nothing.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any, Literal, assert_never

import torch
from torch import Tensor, nn
from torch._dynamo.exc import FailOnRecompileLimitHit, TorchDynamoException

from mmix.errors import SetupError, SpecError
from mmix.mixing.policy import stops_gradients, takes_two_batches
from mmix.models.staged import Staged
from mmix.spec.experiment import ExperimentSpec
from mmix.spec.mixing import (
    ConfMix,
    CutMix,
    Cutout,
    Erm,
    InputMixup,
    LabelSmoothing,
    ManifoldMixup,
    Mixing,
)
from mmix.training.compilers import missing
from mmix.training.payoff import payoff

Scope = Literal["none", "network", "stages"]
Mode = Literal["default", "reduce-overhead"]
Purpose = Literal["step", "confidence"]
Backend = str | Callable[..., Any]

WHOLE_WAYS = 8
"""Up to so many ways of mixing the whole network is compiled anew for each. torch's own limit, and a sensible one:
beyond it, compiling each stage once costs less than it loses by not fusing what lies between two stages."""

MOST_GRAPHS = 128  # torch counts all graphs of all modules as those of one function, and refuses the 257th

GRAPHED_SAMPLES = 256
"""Batches on a device up to this size run as CUDA graphs. A step of PreActResNet18 launches several hundred kernels of
some microseconds each from Python, about as long as an H200 computes on 256 images of 32 x 32 in bf16: below, the
device waits for Python. Above, graphs gain little and hold the memory of every way of mixing at once. An estimate:
`python -m benchmarks.gpu` measures both."""


@dataclass(frozen=True, eq=False)
class Compilation:
    """Which part of a network was compiled, into how many graphs at most, by what, and why it was or wasn't.

    `whole` keeps the size of an epoch's first batch for each purpose: the size for which graphs are made.
    """

    scope: Scope
    why: str
    graphs: int = 0
    backend: Backend = "inductor"
    mode: Mode = "default"
    whole: dict[Purpose, int] = field(default_factory=dict)

    def passing(self, purpose: Purpose, *, samples: int) -> AbstractContextManager[object]:
        """The context of one forward pass of training, on so many samples.

        An epoch's smaller last batch runs uncompiled, on purpose: graphs of its own would double the cost of compiling
        for the sake of one step an epoch.
        """
        if self.scope == "none":
            return nullcontext()
        if samples != self.whole.setdefault(purpose, samples):
            uncompiled: AbstractContextManager[object] = torch.compiler.set_stance("force_eager")
            return uncompiled
        if self.mode == "reduce-overhead":
            # A new step may overwrite what the graphs of the last one left: states and gradients, both done with. The
            # loss and the accuracy that are kept over an epoch are computed outside of the graphs, in memory of theirs.
            torch.compiler.cudagraph_mark_step_begin()  # type: ignore[no-untyped-call]
        return nullcontext()

    def told(self) -> dict[str, str | int]:
        """What stands in the provenance of results."""
        if self.scope == "none":
            return {"scope": self.scope, "why": self.why}
        made: dict[str, str | int] = {"graphs": self.graphs, "backend": str(self.backend), "mode": self.mode}
        return {"scope": self.scope, "why": self.why, **made}


EAGER = Compilation(scope="none", why="nobody asked")


def compile_network(
    network: nn.Module,
    spec: ExperimentSpec,
    *,
    shape: tuple[int, ...],
    images: int,
    device: torch.device,
    backend: Backend | None = None,
) -> Compilation:
    """Compiles the network in place, if `training.compile` asks for it or a run of this length makes it pay.

    The network is not wrapped yet. shape: of a sample. images: in an epoch. Decided without a clock, so that another
    attempt at a run decides alike. A backend of torch.compile other than its default is for tests, and is not judged.

    Raises: SetupError where compiling is asked for and the machine has no compiler, SpecError where the network can't
        be compiled.
    """
    if spec.training.compile == "off":
        return Compilation(scope="none", why="training.compile is off")
    plan = _plan(network, spec, grey=len(shape) == 3 and shape[0] == 1)
    lacking = missing(device) if backend is None else None
    obstacle = _obstacle(network, graphs=sum(plan.limits))
    if spec.training.compile == "on":
        if lacking:
            raise SetupError(f"training.compile is 'on', but {lacking}, or set training.compile to 'off'")
        if obstacle:
            raise SpecError(f"training.compile is 'on', but {obstacle}: set it to 'off'")
        why = "training.compile is on"
    elif reason := lacking or obstacle:
        return Compilation(scope="none", why=f"auto: {reason}")
    else:
        expected = payoff(network, spec.training, shape=shape, images=images, graphs=plan.networks, device=device)
        if not expected.pays:
            return Compilation(scope="none", why=expected.why)
        why = expected.why
    return _compiled(plan, why, mode=_mode(spec, device), backend=backend or "inductor")


@contextmanager
def explained() -> Iterator[None]:
    """Turns what torch says while it compiles into an error of ours.

    Raises: SpecError where the network can't be compiled into the graphs that were counted.
    """
    try:
        yield
    except FailOnRecompileLimitHit as error:
        raise SpecError(
            "the compiled network met a batch that fits none of its graphs: shapes, layers or modes change more often "
            "than its mixing method says; set training.compile to 'off'"
        ) from error
    except TorchDynamoException as error:
        reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise SpecError(f"the network can't be compiled ({reason}): set training.compile to 'off'") from error


@dataclass(frozen=True, eq=False)
class _Plan:
    """The modules to compile, and how many graphs each may have."""

    scope: Scope
    modules: Sequence[nn.Module]
    limits: Sequence[int]

    @property
    def networks(self) -> float:
        """How many whole networks the graphs come to."""
        return sum(self.limits) / len(self.modules)


def _plan(network: nn.Module, spec: ExperimentSpec, *, grey: bool) -> _Plan:
    """A `Hooked` network is compiled whole however many ways there are: it has no stages of which one is the next."""
    ways = _ways(spec.mixing)
    asked = int(isinstance(spec.mixing, ConfMix))  # once more in evaluation mode, to be asked for its confidence
    if not isinstance(network, Staged) or len(ways) <= WHOLE_WAYS:
        return _Plan("network", [network], [len(ways) + asked])
    stages = [*network.stages, network.head]
    limits = [len(_inputs(place, ways, spec.mixing, grey=grey)) + asked for place in range(len(stages))]
    return _Plan("stages", stages, limits)


def _ways(mixing: Mixing) -> list[tuple[int, ...]]:
    """The sets of layers that one batch or another is mixed at; each is another graph of the network."""
    match mixing:
        case Erm() | LabelSmoothing():
            return [()]
        case InputMixup() | CutMix() | Cutout():
            return [(0,)]
        case ManifoldMixup():
            return list(combinations(mixing.layers, mixing.layers_per_batch))
        case ConfMix():
            return [*([()] if mixing.warmup_epochs else []), *((layer,) for layer in mixing.layers)]
        case _:
            assert_never(mixing)


def _inputs(place: int, ways: Sequence[tuple[int, ...]], mixing: Mixing, *, grey: bool) -> set[tuple[bool, ...]]:
    """The kinds of inputs that a stage meets in training: from two batches or one, with a gradient or without, and with
    which strides of a grey image's only channel; they mean nothing, change in mixing, and yet are compared.
    """
    stops, doubled = stops_gradients(mixing), takes_two_batches(mixing)
    return {
        (
            doubled and any(place < layer for layer in way),
            place > 0 and not (stops and place in way[-1:]),
            grey and place == 0 and 0 in way,
        )
        for way in ways
    }


def _compiled(plan: _Plan, why: str, *, mode: Mode, backend: Backend) -> Compilation:
    # Runs may follow each other in one process, and torch counts the graphs of all of them.
    torch.compiler.reset()
    # Only the default backend has modes.
    options: Mapping[str, Any] = {"mode": mode} if backend == "inductor" else {}
    for module, limit in zip(plan.modules, plan.limits, strict=True):
        # What `module.compile` does, which copies and state dicts know of. But that compiles nothing where a module's
        # `forward` is torch's own code, as in nn.Sequential, unless a function of somebody else's calls it.
        module._compiled_call_impl = torch.compile(  # type: ignore[call-overload]
            _called(module),
            fullgraph=True,
            dynamic=False,
            backend=backend,
            recompile_limit=limit,
            isolate_recompiles=True,  # else all modules' graphs would count against each other's limits
            **options,
        )
    return Compilation(scope=plan.scope, why=why, graphs=sum(plan.limits), backend=backend, mode=mode)


def _called(module: nn.Module) -> Callable[..., Tensor]:
    def call(*inputs: Any) -> Tensor:
        answer: Tensor = module._call_impl(*inputs)  # type: ignore[no-untyped-call]
        return answer

    return call


def _mode(spec: ExperimentSpec, device: torch.device) -> Mode:
    """CUDA graphs for small batches. Not for several devices: torch cuts graphs where gradients are exchanged."""
    samples = spec.training.batch_size * (2 if takes_two_batches(spec.mixing) else 1)
    small = samples <= GRAPHED_SAMPLES and spec.training.devices == 1
    return "reduce-overhead" if device.type == "cuda" and small else "default"


def _obstacle(network: nn.Module, *, graphs: int) -> str | None:
    """Why this network can't be compiled, if it can't."""
    if any(isinstance(module, nn.RNNBase) for module in network.modules()):
        return "torch doesn't compile recurrent layers"
    if graphs > MOST_GRAPHS:
        return f"the network would need {graphs} graphs, and at most {MOST_GRAPHS} are made"
    return None
