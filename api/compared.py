"""What travels over REST about comparisons."""

from datetime import datetime
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import AfterValidator, BaseModel, Field

from api.schemas import Answer, Tag, unique
from mmix.spec.comparison import ComparisonSpec
from mmix.store.comparisons import ComparisonView, Summary
from mmix.store.experiments import Wish
from mmix.store.states import State


class ComparisonRequest(ComparisonSpec):
    """A comparison, and how to run it."""

    tags: Annotated[tuple[Tag, ...], Field(max_length=31, strict=False), AfterValidator(unique)] = ()
    priority: Annotated[int, Field(ge=-100, le=100)] = 0
    device: Literal["any", "cpu", "cuda"] = "any"
    max_runtime_seconds: Annotated[int, Field(ge=1, le=30 * 86_400)] | None = None

    def wish(self) -> Wish:
        """What holds for the experiments of all arms."""
        return Wish(
            seeds=self.seeds,
            tags=self.tags,
            priority=self.priority,
            device=self.device,
            max_runtime_seconds=self.max_runtime_seconds,
        )


class RunOfArm(Answer):
    """The run that counts for a seed: of a retried one the last retry. `shared`: it had finished before."""

    id: UUID
    seed: int
    state: State
    shared: bool


class Arm(Answer):
    """One spec of a comparison, under its name, over the comparison's seeds."""

    name: str
    label: str
    digest: str
    spec: dict[str, Any]
    runs: list[RunOfArm]


class _Known(Answer):
    id: UUID
    name: str
    owner: str
    state: State
    metric: str
    baseline: str
    smallest_difference: float | None
    seeds: list[int]
    tags: list[str]
    unlike: list[str]
    created_at: datetime


class Comparison(_Known):
    """A comparison with its arms; its state is derived from those of their runs.

    `unlike` names the places in which arms differ from the baseline in data or budget. `analysis` is null until a seed
    has finished in the baseline and in another arm, and without a verdict until all runs have ended.
    """

    arms: list[Arm]
    analysis: dict[str, Any] | None

    @classmethod
    def of(cls, view: ComparisonView, analysis: dict[str, Any] | None) -> Self:
        """The answer for this row."""
        known = _Known.model_validate(view.summary)
        arms = [Arm.model_validate(arm) for arm in view.arms]
        return cls(**known.model_dump(), arms=arms, analysis=analysis)


class ComparisonLine(_Known):
    """A comparison in one line: its arms by their names, and how many of their runs are in which state."""

    arms: list[str]
    runs: dict[State, int]

    @classmethod
    def of(cls, summary: Summary) -> Self:
        """The answer for this row."""
        return cls.model_validate(summary)


class Comparisons(BaseModel):
    """A page of comparisons, newest first."""

    items: list[ComparisonLine]
    next: str | None
