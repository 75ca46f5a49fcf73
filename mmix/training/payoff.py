"""Whether compiling a network pays within one run, by expectation and without a clock: every attempt decides alike."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.func import functional_call
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

from mmix.spec.optimisation import Precision, Training

RATES: dict[Precision, float] = {"fp32": 3e13, "bf16": 1.5e14, "fp16": 1.5e14}
"""Operations a second that training attains on a large GPU where it computes all the time. Nominal, not measured; TF32
is off. A smaller GPU is slower, so compiling pays there sooner than is expected here."""

LAUNCH_SECONDS = 6e-6  # nominal: what Python and the driver take to start one kernel
LAUNCHES = 3.5  # kernels of a step (forward, backward, optimiser) for each operation of the forward pass: nominal
SAVED = 1 / 3  # the part of a step that a compiled network saves at least: nominal
COMPILING_SECONDS = 0.3
"""For each operation of the forward pass, with a cold cache. Measured with inductor for the CPU, where others worked
as well: convnet 3 to 8 s for 12 operations, PreActResNet18 9 to 25 s for 95, the first of all up to 20 s more."""

FIRST_SECONDS = 20.0


@dataclass(frozen=True)
class Payoff:
    """Whether compiling pays, and the expectation behind it in words."""

    pays: bool
    why: str


def payoff(
    network: nn.Module, training: Training, *, shape: tuple[int, ...], images: int, graphs: float, device: torch.device
) -> Payoff:
    """What is to be expected of a run. shape: of a sample. images: in an epoch. graphs: of the whole network's size."""
    if device.type != "cuda":
        return _ON_CPU
    forward = cost(network, shape=shape)
    seconds = training_seconds(forward, training, images=images)
    compiling = FIRST_SECONDS + graphs * COMPILING_SECONDS * forward.calls
    pays = SAVED * seconds > compiling
    told = f"training is expected to take {seconds:.0f} s uncompiled, compiling {compiling:.0f} s"
    return Payoff(pays, f"auto: {told}, which {'pays' if pays else 'does not pay'}")


@dataclass
class Cost:
    """Of one sample's way through a network: floating-point operations, and the calls of torch that make them."""

    flops: float
    calls: int


def cost(network: nn.Module, *, shape: tuple[int, ...]) -> Cost:
    """Counted on nothing: no weight is read, no buffer written; some 50 ms for a network of a hundred layers."""
    tensors = {name: tensor.to("meta") for name, tensor in [*network.named_parameters(), *network.named_buffers()]}
    samples = torch.empty(2, *shape, device="meta")  # batch normalisation refuses a single one
    counted = _Calls()
    with torch.no_grad(), FlopCounterMode(display=False) as counter, counted:
        functional_call(network, tensors, (samples,))
    return Cost(flops=counter.get_total_flops() / len(samples), calls=counted.calls)


def training_seconds(forward: Cost, training: Training, *, images: int) -> float:
    """How long a GPU is expected to train uncompiled: it computes, or it waits for Python to launch kernels."""
    # The backward pass costs twice the forward pass.
    computing = 3 * forward.flops * images / RATES[training.precision] / training.devices
    steps = math.ceil(images / training.batch_size)
    launching = steps * LAUNCHES * forward.calls * LAUNCH_SECONDS
    return training.epochs * max(computing, launching)


class _Calls(TorchDispatchMode):  # type: ignore[no-untyped-call]
    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.calls = 0

    def __torch_dispatch__(self, function: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.calls += 1
        return function(*args, **(kwargs or {}))


_ON_CPU = Payoff(
    pays=False,
    # Images a second of processor time, compiled by inductor over eager, timed in turn, torch 2.13, one thread of an
    # EPYC with avx512_bf16, fp32 / bf16: convnet at batch 250 0.68 / 0.59; PreActResNet18 at batch 100 of width 16
    # 1.04 / 0.98, of width 64 1.01 / 1.02; three layers of 512 at batch 50 0.86 / 0.84. A graph took 1 to 25 s.
    why="auto: compiled networks train no faster than uncompiled ones on CPUs",
)
