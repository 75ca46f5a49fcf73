"""Stages and a head: the shape that lets any network be mixed at any of its layers."""

from collections.abc import Sequence

from torch import Tensor, nn

from mmix.models.mixer import Mixer


class Staged(nn.Module):
    """A network cut into stages. Mix point k lies before stage k; the last one lies before the head.

    Point 0 is the input. The plan is an argument of `forward`, not a state of the network: it passes through
    wrappers untouched, and what is not given one (every evaluation) can't be mixed by accident. `names` say
    after what each point from 1 on lies, for people.
    """

    def __init__(self, stages: Sequence[nn.Module], head: nn.Module, *, names: Sequence[str] = ()) -> None:
        super().__init__()
        self.stages = nn.ModuleList(stages)
        self.head = head
        self.names = tuple(names) or tuple(f"stage {number}" for number in range(1, len(stages) + 1))
        assert len(self.names) == len(stages), "each stage has one name"

    @property
    def last_point(self) -> int:
        """The deepest mix point."""
        return len(self.stages)

    def forward(self, x: Tensor, plan: Mixer | None = None) -> Tensor:
        """x: (B, C, H, W) or (B, D); logits (B, K)."""
        assert plan is None or plan.last_point_used <= self.last_point, "the plan's layer lies outside the network"
        for point, stage in enumerate(self.stages):
            x = stage(_mixed(x, plan, point))
        logits: Tensor = self.head(_mixed(x, plan, self.last_point))
        return logits


def _mixed(x: Tensor, plan: Mixer | None, point: int) -> Tensor:
    return x if plan is None else plan.at(point, x)
