"""In what numbers a network computes, and how repeatably."""

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import assert_never

import torch
from torch.amp.grad_scaler import GradScaler

from mmix.mixing.draw import generator
from mmix.spec.optimisation import Precision


def autocast(precision: Precision, device: torch.device) -> AbstractContextManager[object]:
    """The context of a training forward pass. Losses are computed outside of it, in float32."""
    match precision:
        case "fp32":
            return nullcontext()
        case "bf16":
            return torch.autocast(device.type, dtype=torch.bfloat16)
        case "fp16":
            return torch.autocast(device.type, dtype=torch.float16)
        case _:
            assert_never(precision)


def scaler(precision: Precision, device: torch.device) -> GradScaler:
    """What keeps small gradients above float16's smallest number; it passes everything through in other precisions.

    In fp16 it reads from the device once a step, to skip steps whose scaled gradients overflowed.
    """
    return GradScaler(device.type, enabled=precision == "fp16")


@contextmanager
def chance(*, seed: int, epoch: int, device: torch.device, group: int = 0) -> Iterator[None]:
    """Makes what torch itself draws in an epoch (dropout) a function of the seed, the epoch and the group alone.

    torch's own generators are put back at the end.
    """
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(int(generator(seed=seed, purpose="dropout", epoch=epoch, group=group).integers(2**63)))
        yield


@contextmanager
def repeatable(*, device: torch.device, threads: int | None) -> Iterator[None]:
    """Makes two runs of one spec and seed equal bit for bit on one kind of CPU with one number of threads.

    On CUDA, where an operation without a deterministic form may occur, torch warns instead of failing, and
    TF32 is switched off: fp32 means float32. All of this is torch's global state; it is put back at the end.
    """
    if device.type == "cuda":
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # without it cuBLAS isn't deterministic
    before = _state()
    try:
        # Deterministic mode would also fill fresh memory with NaN: that costs time and changes no result.
        _set((True, device.type == "cuda", False, False, threads or before[-1]))
        yield
    finally:
        _set(before)


_State = tuple[bool, bool, bool, bool, int]


def _state() -> _State:
    return (
        torch.are_deterministic_algorithms_enabled(),
        torch.is_deterministic_algorithms_warn_only_enabled(),
        torch.utils.deterministic.fill_uninitialized_memory,  # type: ignore[attr-defined]
        torch.backends.cudnn.allow_tf32,
        torch.get_num_threads(),
    )


def _set(state: _State) -> None:
    deterministic, warn_only, fill, tf32, threads = state
    torch.use_deterministic_algorithms(deterministic, warn_only=warn_only)
    torch.utils.deterministic.fill_uninitialized_memory = fill  # type: ignore[attr-defined]
    torch.backends.cudnn.allow_tf32 = tf32
    torch.set_num_threads(threads)
