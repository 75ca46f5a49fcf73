"""Stages and a head: the shape that lets any network be mixed at any of its layers."""

from collections.abc import Sequence

from torch import Tensor, nn

from mmix.mixing.plan import Plan


class Staged(nn.Module):
    """A network cut into stages. Mix point k lies before stage k; the last one lies before the head.

    Point 0 is the input. The plan is an argument of `forward`, not a state of the network: it passes through
    wrappers untouched, and what is not given one (every evaluation) can't be mixed by accident.
    """

    def __init__(self, stages: Sequence[nn.Module], head: nn.Module) -> None:
        super().__init__()
        self.stages = nn.ModuleList(stages)
        self.head = head

    @property
    def last_point(self) -> int:
        """The deepest mix point."""
        return len(self.stages)

    def forward(self, x: Tensor, plan: Plan | None = None) -> Tensor:
        """x: (B, C, H, W); logits (B, K)."""
        assert plan is None or plan.layer <= len(self.stages), "the plan's layer lies outside the network"
        for point, stage in enumerate(self.stages):
            x = stage(_mixed(x, plan, point))
        logits: Tensor = self.head(_mixed(x, plan, len(self.stages)))
        return logits


def _mixed(x: Tensor, plan: Plan | None, point: int) -> Tensor:
    return plan(x) if plan is not None and plan.layer == point else x
