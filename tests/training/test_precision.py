import threading
from typing import Any

import pytest
import torch
from torch import nn

from mmix.mixing.plan import blending
from mmix.training.loop import step, train
from mmix.training.memory import keep_memory
from tests.training.conftest import Make
from tests.training.test_loop import PARTNER, PRECISIONS

RESNET = {"kind": "preact_resnet", "width": 4}
MANIFOLD = {"kind": "manifold_mixup", "alpha": 2.0, "layers": [0, 1, 2]}


@pytest.mark.parametrize("optimiser", [{"kind": "sgd"}, {"kind": "adam"}])
@pytest.mark.parametrize("precision", PRECISIONS)
def test_whatever_the_precision_all_that_is_kept_is_float32(
    make: Make, precision: str, optimiser: dict[str, Any]
) -> None:
    trained = make(MANIFOLD, model=RESNET, precision=precision, optimiser=optimiser)
    next(train(trained, done=0))
    kept = [tensor for tensor in trained.model.state_dict().values() if tensor.is_floating_point()]
    kept += [parameter.grad for parameter in trained.model.parameters() if parameter.grad is not None]
    kept += [value for state in trained.optimiser.state.values() for value in state.values()]
    assert {tensor.dtype for tensor in kept} == {torch.float32}


@pytest.mark.parametrize(("precision", "dtype"), [("bf16", torch.bfloat16), ("fp16", torch.float16)])
def test_batch_normalisation_measures_in_float32_what_comes_in_a_lower_precision(
    make: Make, precision: str, dtype: torch.dtype
) -> None:
    trained = make(MANIFOLD, model=RESNET, precision=precision)
    norms = [module for module in trained.model.modules() if isinstance(module, nn.BatchNorm2d)]
    seen: list[torch.Tensor] = []
    norms[-1].register_forward_pre_hook(lambda _, given: seen.append(given[0].detach().clone()))
    loss, accuracy = step(trained, next(trained.loader.epoch(0)), blending(1, lam=torch.rand(6), partner=PARTNER))
    (x,) = seen
    assert x.dtype == dtype
    assert (loss.dtype, accuracy.dtype) == (torch.float32, torch.float32)
    assert norms[-1].running_mean is not None
    expected = 0.1 * x.float().mean((0, 2, 3))  # the momentum times the mean of the numbers as they came
    # The order of a float32 sum of 24 numbers is torch's own: some units of its last place, a thousandth of bf16's.
    torch.testing.assert_close(norms[-1].running_mean, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("model", [RESNET, {"kind": "convnet"}])
def test_states_are_channels_last_all_through(make: Make, model: dict[str, Any], precision: str) -> None:
    trained = make(MANIFOLD, model=model, precision=precision)
    seen: list[bool] = []
    for module in trained.model.modules():
        if isinstance(module, nn.Conv2d):
            module.register_forward_pre_hook(
                lambda _, given: seen.append(given[0].is_contiguous(memory_format=torch.channels_last))
            )
    step(trained, next(trained.loader.epoch(0)), blending(1, lam=torch.rand(6), partner=PARTNER))
    assert seen
    assert all(seen)


def test_a_first_step_that_fp16_skips_leaves_a_momentum_of_zero(make: Make) -> None:
    trained = make(precision="fp16")
    trained.scaler.load_state_dict(trained.scaler.state_dict() | {"scale": 2.0**40})  # gradients overflow
    step(trained, next(trained.loader.epoch(0)), blending(1, lam=torch.rand(6), partner=PARTNER))
    momenta = [state["momentum_buffer"] for state in trained.optimiser.state.values()]
    assert momenta
    assert not any(momentum.any() for momentum in momenta)


def test_memory_can_be_kept_more_than_once_and_from_any_thread() -> None:
    first = keep_memory()
    again: list[bool] = []
    thread = threading.Thread(target=lambda: again.append(keep_memory()))
    thread.start()
    thread.join()
    assert again == [first]
