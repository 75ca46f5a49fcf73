"""Many fully connected networks of one shape, computed at once."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from mmix.models.mixer import Mixer
from mmix.models.staged import Staged


class Batched(nn.Module):
    """n networks that `mlp` made, each with samples of its own; no number of one depends on another.

    weights: (n, in, out) each, biases: (n, 1, out). The inputs come first, unlike in nn.Linear: the gradient of a
    batched product is then contiguous in the weights' own order, which a step gains a quarter from (hidden layers of
    512, batch 50, one CPU thread: 2.9 to 2.2 ms a network in float32, 1.9 to 1.1 ms in bfloat16).
    """

    def __init__(self, networks: Sequence[Staged]) -> None:
        super().__init__()
        columns = list(zip(*map(_linears, networks), strict=True))
        self.weights = nn.ParameterList(
            torch.stack([each.weight.detach().t() for each in column]) for column in columns
        )
        self.biases = nn.ParameterList(torch.stack([each.bias.detach()[None] for each in column]) for column in columns)
        self.activation: nn.Module = networks[0].stages[0][-1]  # type: ignore[index]

    @property
    def last_point(self) -> int:
        """The deepest mix point."""
        return len(self.weights) - 1

    def forward(self, x: Tensor, plan: Mixer | None = None) -> Tensor:
        """x: (n, B, D); logits (n, B, K)."""
        assert plan is None or plan.last_point_used <= self.last_point, "the plan's layer lies outside the network"
        for point, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            x = self.activation(x) if point else x
            x = torch.baddbmm(bias, x if plan is None else plan.at(point, x), weight)
        return x

    def unpack(self, place: int, network: Staged) -> Staged:
        """`network`, with the weights of the one at this place."""
        with torch.no_grad():
            for linear, weight, bias in zip(_linears(network), self.weights, self.biases, strict=True):
                linear.weight.copy_(weight[place].t())
                linear.bias.copy_(bias[place, 0])
        return network


def _linears(network: Staged) -> list[nn.Linear]:
    return [module for module in network.modules() if isinstance(module, nn.Linear)]
