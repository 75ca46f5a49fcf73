"""The processes that train one network together, and all that they say to each other."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from mmix.errors import SetupError
from mmix.mixing.shares import Shares
from mmix.spec.optimisation import Training

Told = TypeVar("Told")
_PARTING_SECONDS = 0.2


@dataclass(frozen=True)
class Ranks:
    """This process is number `rank`, counted from 0, of `count` that train together; 0 of 1 where it is alone.

    Whatever the ranks say to each other, each of them has to say at the same place of the program.
    """

    rank: int = 0
    count: int = 1

    @property
    def leads(self) -> bool:
        """Whether this is the one rank that writes."""
        return self.rank == 0

    def sum(self, tensor: Tensor) -> Tensor:
        """The sum of all ranks' tensors; the tensor itself where there is one rank. No gradient passes."""
        if self.count == 1:
            return tensor
        total = tensor.clone()
        dist.all_reduce(total)
        return total

    def told(self, value: Told) -> Told:
        """What the leading rank has for `value`, on every rank."""
        if self.count == 1:
            return value
        values: list[Told] = [value]
        dist.broadcast_object_list(values, src=0)
        return values[0]

    def alike(self, model: nn.Module) -> None:
        """Gives the buffers of the leading rank's model to all ranks' models.

        Without `sync_batch_norm` running statistics are of each rank's own shares. Nothing in a training step reads
        them, so it is enough that all have the same ones when an epoch is over and the network is looked at.
        """
        if self.count > 1:
            for buffer in model.buffers():
                dist.broadcast(buffer, src=0)


ALONE = Ranks()


@contextmanager
def joined(devices: int, device: torch.device) -> Iterator[Ranks]:
    """Joins the process group that torchrun's environment describes, and leaves it at the end.

    Inside of another `joined` it is the same group, which the outer one leaves. A process can't join twice, one after
    the other: gloo would meet the first group's addresses in torchrun's store.

    Raises: SetupError where not as many processes were started as the training has devices.
    """
    started = int(os.environ.get("WORLD_SIZE", 1))
    if started != devices:
        raise SetupError(
            f"training.devices is {devices}, but {_processes(started)} started: `mmix train` starts as many as needed, "
            f"and so does `python -m torch.distributed.run --standalone --nproc-per-node {devices}`"
        )
    if devices == 1:
        yield ALONE
    elif dist.is_initialized():
        yield Ranks(dist.get_rank(), dist.get_world_size())
    else:
        cuda = device.type == "cuda"
        if cuda:
            torch.cuda.set_device(device)
        dist.init_process_group("nccl" if cuda else "gloo", device_id=device if cuda else None)
        try:
            yield Ranks(dist.get_rank(), dist.get_world_size())
        finally:
            # gloo's thread lets go of the tensors of its last exchange under the interpreter's lock. Whoever destroys
            # the group waits for that thread and holds the lock: without a pause both wait for ever (torch 2.13).
            time.sleep(_PARTING_SECONDS)
            dist.destroy_process_group()


def own_device(device: torch.device, devices: int) -> torch.device:
    """The device of this rank: the first rank of a machine has its first CUDA device, and so on.

    Raises: SetupError where the machine has not as many devices, or one of them was asked for.
    """
    if device.type == "cpu" or devices == 1:
        return device
    here = int(os.environ.get("LOCAL_RANK", 0))
    if device.index is not None or here >= torch.cuda.device_count():
        raise SetupError(
            f"training.devices is {devices} and the device {str(device)!r}, but this machine shows "
            f"{torch.cuda.device_count()} CUDA devices: ask for 'cuda' where there is one for each rank"
        )
    return torch.device("cuda", here)


def shares(training: Training, ranks: Ranks) -> Shares:
    """How batches are cut, and which part this process has: its rank's share, or the whole batch where it is alone."""
    return Shares(training.shares) if ranks.count == 1 else Shares(training.shares, own=ranks.rank)


def averaging(model: nn.Module, ranks: Ranks, *, unused: bool) -> nn.Module:
    """The model in what averages its gradients over the ranks; the model itself where there is one rank.

    unused: whether a step may leave parameters without a gradient, always the same ones on all ranks. Names and
    compiled code stay the model's own: it is compiled in place, before. The plan reaches it untouched, as nothing is
    scattered or moved without `device_ids`.
    With two ranks a resumed training equals an uninterrupted one bit for bit. With more, gradients are summed in an
    order that depends on how they lie in buckets, which torch changes after the first step it sees.
    """
    if ranks.count == 1:
        return model
    # Buffers are never needed alike within an epoch, see `Ranks.alike`.
    return DistributedDataParallel(model, forward_sync_buffers=False, find_unused_parameters=unused)


def _processes(count: int) -> str:
    return "one process was" if count == 1 else f"{count} processes were"
