"""What travels over REST: requests checked, answers described."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic_core import PydanticCustomError

from mmix.spec.evaluation import METRIC_NAMES_HELP, is_metric
from mmix.spec.experiment import ExperimentSpec
from mmix.spec.part import Part
from mmix.store.experiments import ExperimentView, Wish
from mmix.store.runs import AttemptView, LineView, RunView
from mmix.store.states import Outcome, State

Seed = Annotated[int, Field(ge=0, le=2**31 - 1)]
Tag = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:/+-]{0,63}$")]


def unique(values: tuple[Any, ...]) -> tuple[Any, ...]:
    """The values.

    Raises: PydanticCustomError where one of them stands twice.
    """
    doubled = sorted({value for value in values if values.count(value) > 1})
    if doubled:
        raise PydanticCustomError(
            "doubled", "Each value may stand once", {"given": doubled, "allowed": "values that differ"}
        )
    return values


def _metric(name: str) -> str:
    if not is_metric(name):
        raise PydanticCustomError(
            "metric", "There is no metric of this name", {"given": name, "allowed": METRIC_NAMES_HELP}
        )
    return name


MetricName = Annotated[str, Field(max_length=100), AfterValidator(_metric)]


class ExperimentRequest(Part):
    """A spec, the seeds to run it with, and how: after all of the experiments or runs that `after` names."""

    spec: ExperimentSpec
    seeds: Annotated[tuple[Seed, ...], Field(min_length=1, max_length=1000, strict=False), AfterValidator(unique)]
    tags: Annotated[tuple[Tag, ...], Field(max_length=32, strict=False), AfterValidator(unique)] = ()
    priority: Annotated[int, Field(ge=-100, le=100)] = 0
    device: Literal["any", "cpu", "cuda"] = "any"
    max_runtime_seconds: Annotated[int, Field(ge=1, le=30 * 86_400)] | None = None
    after: Annotated[
        tuple[Annotated[UUID, Field(strict=False)], ...], Field(max_length=100, strict=False), AfterValidator(unique)
    ] = ()

    def wish(self) -> Wish:
        """What the store needs to know beside the spec."""
        return Wish(
            seeds=self.seeds,
            tags=self.tags,
            priority=self.priority,
            device=self.device,
            max_runtime_seconds=self.max_runtime_seconds,
            after=self.after,
        )


class Answer(BaseModel):
    """What is described by the attributes of a row of the store."""

    model_config = ConfigDict(from_attributes=True)


class RunOfExperiment(Answer):
    """A run in one line of its experiment."""

    id: UUID
    seed: int
    state: State


class Experiment(Answer):
    """An experiment with its runs; its state is derived from theirs."""

    id: UUID
    digest: str
    owner: str
    state: State
    tags: list[str]
    priority: int
    device: str
    max_runtime_seconds: int | None
    created_at: datetime
    label: str
    spec: dict[str, Any]
    runs: list[RunOfExperiment]

    @classmethod
    def of(cls, view: ExperimentView) -> Self:
        """The answer for this row."""
        return cls.model_validate(view)


class Experiments(BaseModel):
    """A page of experiments, newest first."""

    items: list[Experiment]
    next: str | None


class Progress(BaseModel):
    """How many epochs of how many are done; while a run is worked on also its speed, and how long the rest may take."""

    epoch: int
    epochs: int
    images_per_second: float | None
    seconds_left: float | None


class Failure(BaseModel):
    """Why a run failed for good."""

    model_config = ConfigDict(populate_by_name=True)

    failure_class: str = Field(alias="class")
    message: str


class Run(BaseModel):
    """One seed of one experiment, with its results as {selection: {metric: value}}.

    A run that is retried stays as it was; the new one names it in `retry_of`. `not_before` is when a run that met an
    unforeseen error is tried again.

    `device_seconds` are the `trained_seconds` of all its attempts, times the devices that each held. `withdrawn` is why
    its results were taken away, where they were.

    `provenance` is what the results rest on: versions, device, threads, the data's checksum and sizes, diagnostics.
    """

    id: UUID
    experiment: UUID
    retry_of: UUID | None
    seed: int
    state: State
    attempt: int
    not_before: datetime | None
    progress: Progress
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    results: dict[str, dict[str, float]]
    device_seconds: float | None
    withdrawn: str | None
    provenance: dict[str, Any] | None
    failure: Failure | None

    @classmethod
    def of(cls, view: RunView) -> Self:
        """The answer for this row."""
        failure = view.failure and Failure(failure_class=view.failure.failure_class, message=view.failure.message)
        return cls(
            id=view.id,
            experiment=view.experiment_id,
            retry_of=view.retry_of,
            seed=view.seed,
            state=view.state,
            attempt=view.attempt,
            not_before=view.not_before,
            progress=Progress(
                epoch=view.epoch,
                epochs=view.epochs,
                images_per_second=view.images_per_second,
                seconds_left=view.seconds_left,
            ),
            created_at=view.created_at,
            started_at=view.started_at,
            finished_at=view.finished_at,
            results=view.results,
            device_seconds=view.device_seconds,
            withdrawn=view.withdrawn,
            provenance=view.provenance,
            failure=failure,
        )


class WithdrawalRequest(Part):
    """Why the results of a run are taken away."""

    reason: Annotated[str, Field(min_length=1, max_length=1000, pattern=r"\S")]


class Attempt(Answer):
    """One try of one worker at one run; without an outcome it is under way; `last_step` counts optimiser steps.

    `trained_seconds` are those from its trainer's being ready, data read and network built, to its last word.
    """

    n: int
    worker: UUID
    host: str
    devices: list[str]
    first_epoch: int | None
    last_epoch: int | None
    last_step: int | None
    images_per_second: float | None
    trained_seconds: float | None
    started_at: datetime
    ended_at: datetime | None
    outcome: Outcome | None
    exit_code: int | None
    error: str | None


class Attempts(BaseModel):
    """The tries at a run, the first one first."""

    items: list[Attempt]

    @classmethod
    def of(cls, views: Sequence[AttemptView]) -> Self:
        """The answer for these rows."""
        return cls(items=[Attempt.model_validate(view) for view in views])


class Curves(BaseModel):
    """Each metric's [epoch, value] pairs."""

    curves: dict[str, list[tuple[int, float]]]


class Artifact(BaseModel):
    """A file that a run has left."""

    name: str
    size_bytes: int


class Artifacts(BaseModel):
    """The files that a run has left, by name."""

    items: list[Artifact]


class LogLine(Answer):
    """The n-th line that an attempt's trainer printed, and when it was stored."""

    attempt: int
    n: int
    at: datetime
    line: str


class Log(BaseModel):
    """A page of a run's log; `next` is the `after` of the following page, null where there is none yet."""

    items: list[LogLine]
    next: str | None

    @classmethod
    def of(cls, views: Sequence[LineView], *, limit: int) -> Self:
        """The answer for these rows, of which there is one more than `limit` where a page follows."""
        shown = [LogLine.model_validate(view) for view in views[:limit]]
        return cls(items=shown, next=f"{shown[-1].attempt}:{shown[-1].n}" if len(views) > limit else None)


class Health(BaseModel):
    """That the service is alive, or ready."""

    status: Literal["ok"] = "ok"


class ProblemItem(BaseModel):
    """One refusal: where, why, what stood there and what may stand there."""

    loc: list[str | int]
    msg: str
    given: str | None
    allowed: str | None


class Problem(BaseModel):
    """An error as application/problem+json (RFC 9457)."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    errors: list[ProblemItem] = []
