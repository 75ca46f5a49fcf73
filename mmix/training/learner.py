"""What one training needs, and what of it must be kept to go on later."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.amp.grad_scaler import GradScaler

from mmix.data.loading import AnyLoader
from mmix.mixing.plan import Criterion
from mmix.mixing.policy import Policy, policy, remembers_confidence, stops_gradients, takes_two_batches
from mmix.spec.experiment import ExperimentSpec
from mmix.spec.optimisation import Training
from mmix.training.compilation import EAGER, Compilation
from mmix.training.criterion import criterion
from mmix.training.optimiser import optimiser
from mmix.training.precision import scaler
from mmix.training.ranks import ALONE, Ranks, averaging


@dataclass(frozen=True, eq=False)
class Learner:
    """Everything that one training needs; the network, the optimiser, the scaler and the memory change as it runs.

    `model` is the network itself; `stepped` is what steps ask, which averages its gradients where `ranks` share them.
    memory: (N,) in [1/K, 1], the confidence in each training sample after the last epoch; None where it isn't asked.
    """

    spec: Training
    seed: int
    device: torch.device
    model: nn.Module
    optimiser: torch.optim.Optimizer
    scaler: GradScaler
    criterion: Criterion
    policy: Policy
    two_batches: bool
    loader: AnyLoader
    memory: Tensor | None
    ranks: Ranks
    stepped: nn.Module
    compilation: Compilation


def prepare(
    spec: ExperimentSpec,
    *,
    seed: int,
    model: nn.Module,
    loader: AnyLoader,
    shape: tuple[int, ...],
    classes: int,
    device: torch.device,
    ranks: Ranks = ALONE,
    compilation: Compilation = EAGER,
) -> Learner:
    """A network that has learned nothing yet, on its device, with all that its training needs.

    model: compiled as `compilation` says, and its batch normalisation synchronised, if that is wanted.

    Raises: SpecError where the mixing method can't be had on samples of this shape.
    """
    training = spec.training
    # Before the first epoch nothing is known: confidence 1/K, which means alpha 0 and lambda 1.
    memory = torch.full((loader.images,), 1 / classes, device=device) if remembers_confidence(spec.mixing) else None
    return Learner(
        spec=training,
        seed=seed,
        device=device,
        model=model,
        optimiser=optimiser(training.optimiser, model.parameters()),
        scaler=scaler(training.precision, device),
        criterion=criterion(training.loss),
        policy=policy(spec.mixing, shape=shape, classes=classes, epochs=training.epochs),
        two_batches=takes_two_batches(spec.mixing),
        loader=loader,
        memory=memory,
        ranks=ranks,
        stepped=averaging(model, ranks, unused=stops_gradients(spec.mixing)),
        compilation=compilation,
    )


def state(learner: Learner) -> dict[str, Tensor]:
    """All that changes while a learner learns, as tensors in main memory: weights, buffers, and what steers steps."""
    tensors = {f"model.{name}": tensor for name, tensor in learner.model.state_dict().items()}
    for name, parameter in learner.model.named_parameters():
        kept = learner.optimiser.state.get(parameter, {})
        tensors |= {f"optimiser.{name}.{key}": value for key, value in kept.items() if value is not None}
    if learner.scaler.is_enabled():
        scaling = learner.scaler.state_dict()
        tensors |= {f"scaler.{key}": torch.tensor(scaling[key], dtype=torch.float64) for key in _SCALING}
    if learner.memory is not None:
        tensors["memory"] = learner.memory
    return {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}


def load_state(learner: Learner, tensors: Mapping[str, Tensor]) -> None:
    """Puts back, bit for bit, what `state` returned of a learner like this one."""
    learner.model.load_state_dict({name: tensors[f"model.{name}"] for name in learner.model.state_dict()})
    for name, parameter in learner.model.named_parameters():
        prefix = f"optimiser.{name}."
        kept = {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}
        learner.optimiser.state[parameter] = {key: _like(parameter, key, value) for key, value in kept.items()}
    if learner.scaler.is_enabled():
        scaling = {key: kind(tensors[f"scaler.{key}"].item()) for key, kind in _SCALING.items()}
        learner.scaler.load_state_dict(learner.scaler.state_dict() | scaling)
    if learner.memory is not None:
        learner.memory.copy_(tensors["memory"])


_SCALING = {"scale": float, "_growth_tracker": int}


def _like(parameter: nn.Parameter, key: str, value: Tensor) -> Tensor:
    if key == "step":  # Adam's counter is one number; the fused step reads it where the parameter lies
        return value.to(parameter.device, copy=True)
    # empty_like keeps the parameter's memory format, on which the optimiser's speed depends.
    return torch.empty_like(parameter).copy_(value).detach()
