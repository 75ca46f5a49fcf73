"""Batch normalisation whose statistics are of the whole batch, wherever its parts lie."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.modules.batchnorm import _BatchNorm

from mmix.training.ranks import Ranks


class SyncBatchNorm(_BatchNorm):
    """What BatchNorm1d and BatchNorm2d of the global batch compute, on CPU and CUDA, on shares of any sizes.

    It computes in float32, or in float64 where the input does. Running statistics are those of the global batch.
    Differs: torch's own refuses tensors on the CPU.
    """

    ranks: Ranks

    def forward(self, x: Tensor) -> Tensor:
        """x: (B, C) or (B, C, ...), any float dtype, kept."""
        if not self.training and self.running_mean is not None:
            return super().forward(x)
        with torch.autocast(x.device.type, enabled=False):
            wide = x.float() if x.dtype in (torch.bfloat16, torch.float16) else x
            mean, var, count = _moments(wide, self.ranks)
            self._follow(mean.detach(), var.detach(), count.detach())
            shape = (1, -1) + (1,) * (x.dim() - 2)
            scale = torch.rsqrt(var + self.eps) * (1 if self.weight is None else self.weight)
            normal = (wide - mean.view(shape)) * scale.view(shape)
            return (normal if self.bias is None else normal + self.bias.view(shape)).to(x.dtype)

    def _check_input_dim(self, input: Tensor) -> None:
        """Any number of dimensions is right; torch asks before it evaluates."""

    def _follow(self, mean: Tensor, var: Tensor, count: Tensor) -> None:
        """Moves the running statistics, as torch does, towards the mean and the unbiased variance."""
        if self.running_mean is None or self.running_var is None or self.num_batches_tracked is None:
            return
        self.num_batches_tracked.add_(1)
        weight = 1 / self.num_batches_tracked if self.momentum is None else self.momentum
        self.running_mean.add_(weight * (mean - self.running_mean))
        self.running_var.add_(weight * (var * (count / (count - 1)) - self.running_var))


def synchronise(model: nn.Module, ranks: Ranks) -> None:
    """Lets each batch normalisation of the model take its statistics over all ranks, in place.

    Parameters, buffers, their names and hooks stay: only what `forward` computes changes.
    """
    if ranks.count == 1:
        return
    for module in model.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            module.__class__ = SyncBatchNorm  # type: ignore[assignment]
            module.ranks = ranks  # type: ignore[assignment]


def _moments(x: Tensor, ranks: Ranks) -> tuple[Tensor, Tensor, Tensor]:
    """Mean and variance (not the unbiased one) of all ranks' x, (C,), and how many numbers of a channel there are, ().

    Each rank's mean and sum of squares around it are put together: the sum of squares around 0 would lose all digits
    where the mean is large.
    Source: Chan, Golub and LeVeque (1979), Updating formulae and a pairwise algorithm for computing sample variances.
    """
    own_var, own_mean = torch.var_mean(x, (0, *range(2, x.dim())), correction=0)
    number = x.numel() // x.shape[1]
    own = torch.cat([own_mean, own_var * number, own_mean.new_full((1,), number)])
    # Every rank fills a row of its own and zeros elsewhere, so that a sum is a gathering.
    rows = _total(F.pad(own[None], (0, 0, ranks.rank, ranks.count - 1 - ranks.rank)))
    means, squares, numbers = rows.split([len(own_mean), len(own_mean), 1], dim=1)
    count = numbers.sum()
    mean = (numbers * means).sum(0) / count
    return mean, (squares + numbers * (means - mean).square()).sum(0) / count, count


@torch.library.custom_op("mmix::total", mutates_args=())
def _total(x: Tensor) -> Tensor:
    """The sum over all ranks: one operation to whoever compiles. Its gradient is the sum of the ranks' gradients."""
    total = x.clone()
    torch.distributed.all_reduce(total)
    return total


@_total.register_fake
def _(x: Tensor) -> Tensor:
    return torch.empty_like(x)


def _total_gradient(ctx: object, gradient: Tensor) -> Tensor:
    total: Tensor = _total(gradient.contiguous())
    return total


_total.register_autograd(_total_gradient)
