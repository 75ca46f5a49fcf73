"""What the training of many small networks at once needs, and what of it must be kept to go on later."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from mmix.data.loading import AnyLoader
from mmix.mixing.plan import Criterion
from mmix.mixing.policy import Policy, policy, remembers_confidence, takes_two_batches
from mmix.models.batched import Batched
from mmix.models.staged import Staged
from mmix.spec.experiment import ExperimentSpec
from mmix.spec.optimisation import Training
from mmix.training.criterion import criterion
from mmix.training.optimiser import optimiser

BLOCK = 2**21
"""Weights that step together on a CPU: with gradients and moments 32 MB. Fewer lose time to the calls, more to memory.

Networks of 530,000 weights, two threads of an EPYC with 32 MB of L3, a step and network in blocks of 1, 2, 4 and 8:
1.63, 1.34, 1.33 and 1.38 ms in float32, 1.27, 0.96, 1.00 and 1.00 ms in bfloat16 (medians of seven, spread 5 %).
"""


@dataclass(frozen=True, eq=False)
class Block:
    """Networks that step together, and their optimiser, whose arithmetic is element by element. `first` is a place."""

    first: int
    model: Batched
    optimiser: torch.optim.Optimizer
    count: int

    @property
    def places(self) -> slice:
        """The places of the block's networks among all."""
        return slice(self.first, self.first + self.count)


@dataclass(frozen=True, eq=False)
class Learners:
    """Everything that the training of n networks needs; networks, optimisers and memory change as it runs.

    memory: (n, N) in [1/K, 1], the confidence in each training sample after the last epoch; None where it isn't asked.
    """

    spec: Training
    seeds: tuple[int, ...]
    device: torch.device
    blocks: tuple[Block, ...]
    criterion: Criterion
    policy: Policy
    two_batches: bool
    loaders: tuple[AnyLoader, ...]
    memory: Tensor | None

    def network(self, place: int, mould: Staged) -> Staged:
        """`mould`, with the weights of the network at this place."""
        block = next(block for block in self.blocks if place < block.first + block.count)
        return block.model.unpack(place - block.first, mould)


def prepare(
    spec: ExperimentSpec,
    *,
    seeds: Sequence[int],
    networks: Sequence[Staged],
    loaders: Sequence[AnyLoader],
    shape: tuple[int, ...],
    classes: int,
    device: torch.device,
) -> Learners:
    """Networks that have learned nothing yet, one a seed and loader, on the device, with all that training needs."""
    training = spec.training
    count, images = len(networks), loaders[0].images
    # Before the first epoch nothing is known: confidence 1/K, which means alpha 0 and lambda 1.
    memory = torch.full((count, images), 1 / classes, device=device) if remembers_confidence(spec.mixing) else None
    size = count if device.type == "cuda" else max(1, BLOCK // _weights(networks[0]))
    return Learners(
        spec=training,
        seeds=tuple(seeds),
        device=device,
        blocks=tuple(
            _block(training, first, networks[first : first + size], device) for first in range(0, count, size)
        ),
        criterion=criterion(training.loss),
        policy=policy(spec.mixing, shape=shape, classes=classes, epochs=training.epochs),
        two_batches=takes_two_batches(spec.mixing),
        loaders=tuple(loaders),
        memory=memory,
    )


def state(learners: Learners) -> dict[str, Tensor]:
    """All that changes while networks learn, as tensors in main memory, (n, ...): how blocks were cut is not in it."""
    tensors = _joined([_block_state(block) for block in learners.blocks])
    if learners.memory is not None:
        tensors["memory"] = learners.memory.cpu().contiguous()
    return tensors


def load_state(learners: Learners, tensors: Mapping[str, Tensor]) -> None:
    """Puts back, bit for bit, what `state` returned of learners like these."""
    for block in learners.blocks:
        _load_block(block, {name: value[block.places] if value.dim() else value for name, value in tensors.items()})
    if learners.memory is not None:
        learners.memory.copy_(tensors["memory"])


def _block(training: Training, first: int, networks: Sequence[Staged], device: torch.device) -> Block:
    model = Batched(networks).to(device)
    return Block(first, model, optimiser(training.optimiser, model.parameters()), len(networks))


def _weights(network: Staged) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def _block_state(block: Block) -> dict[str, Tensor]:
    tensors = {f"model.{name}": tensor for name, tensor in block.model.state_dict().items()}
    for name, parameter in block.model.named_parameters():
        kept = block.optimiser.state.get(parameter, {})
        tensors |= {f"optimiser.{name}.{key}": value for key, value in kept.items() if value is not None}
    return {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}


def _joined(states: Sequence[Mapping[str, Tensor]]) -> dict[str, Tensor]:
    """The blocks' tensors one after the other; Adam's counter of steps, a single number, is the same in all."""
    return {
        name: torch.cat([state[name] for state in states]) if first.dim() else first
        for name, first in states[0].items()
    }


def _load_block(block: Block, tensors: Mapping[str, Tensor]) -> None:
    block.model.load_state_dict({name: tensors[f"model.{name}"] for name in block.model.state_dict()})
    kept: dict[int, dict[str, Tensor]] = {}
    for number, (name, _) in enumerate(block.model.named_parameters()):
        prefix = f"optimiser.{name}."
        found = {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}
        # Copies: the optimiser would keep, and step, a view of the checkpoint.
        kept |= {number: {key: value.clone() for key, value in found.items()}} if found else {}
    groups = block.optimiser.state_dict()["param_groups"]
    block.optimiser.load_state_dict({"state": kept, "param_groups": groups})
