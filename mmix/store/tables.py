"""The tables. Only `mmix.store` and the migrations look in here."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    DateTime,
    Double,
    ForeignKey,
    ForeignKeyConstraint,
    Identity,
    Index,
    Integer,
    MetaData,
    Text,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from mmix.store.states import DEVICE_KINDS, OUTCOMES, OWNED, STATES, TERMINAL

SAMPLE = "digest < '04'"
"""One group in 64, drawn by chance: a digest's first two characters are the first byte of a SHA-256."""

NUMBERS = "array_append(facets, hashtext((metric || ' '::text) || selection))"
"""The numbers by which a standing is found: one for each facet of its group, and one for what it is a standing in.

In PostgreSQL's own spelling, by which an index is compared with the one that the migrations make.
"""


def _among(column: str, values: tuple[str, ...]) -> str:
    return f"{column} IN ({', '.join(repr(value) for value in values)})"


class Base(DeclarativeBase):
    """The root of all tables; its naming convention keeps migrations readable."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {  # noqa: RUF012 - SQLAlchemy reads it from the class
        str: Text,
        float: Double,
        datetime: DateTime(timezone=True),
        dict[str, Any]: JSONB,
        list[str]: ARRAY(Text),
        list[int]: ARRAY(Integer),
    }


class Cell(Base):
    """What most leaderboards are filtered by, and what decides most about how good a group is."""

    __tablename__ = "cells"

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    data: Mapped[str]
    model: Mapped[str]
    mixing: Mapped[str]
    epochs: Mapped[int]
    loss: Mapped[str]

    __table_args__ = (UniqueConstraint("data", "model", "mixing", "epochs", "loss"),)


class Group(Base):
    """One spec, whatever its seeds: a row of the leaderboard.

    `facets` are what it can be chosen by, as `mixing.alpha=2`, `tag=demo`, `owner=local` or `device=cpu`.
    """

    __tablename__ = "groups"

    digest: Mapped[str] = mapped_column(primary_key=True)
    spec: Mapped[dict[str, Any]]
    data: Mapped[str]
    model: Mapped[str]
    mixing: Mapped[str]
    label: Mapped[str]
    cell_id: Mapped[int | None] = mapped_column(ForeignKey("cells.id"))
    facets: Mapped[list[str]] = mapped_column(server_default=text("'{}'"))
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())

    # Without a list of what is still to be put in: every search would have to read that list.
    __table_args__ = (Index(None, "facets", postgresql_using="gin", postgresql_with={"fastupdate": "off"}),)


class Experiment(Base):
    """What somebody POSTed: a group and the wish for some seeds of it."""

    __tablename__ = "experiments"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    owner: Mapped[str]
    digest: Mapped[str] = mapped_column(ForeignKey("groups.digest"))
    tags: Mapped[list[str]]
    priority: Mapped[int]
    device: Mapped[str]
    max_runtime_seconds: Mapped[int | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())

    __table_args__ = (
        CheckConstraint(_among("device", ("any", "cpu", "cuda")), name="device"),
        Index(None, "owner", text("id DESC")),
        Index(None, "digest"),
    )


class Answer(Base):
    """What was answered to a request that carried an Idempotency-Key."""

    __tablename__ = "answers"

    owner: Mapped[str] = mapped_column(primary_key=True)
    route: Mapped[str] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    request_sha256: Mapped[str]
    body: Mapped[dict[str, Any]]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class Run(Base):
    """One seed of one experiment. `attempt` is the fencing token of everything a worker writes."""

    __tablename__ = "runs"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    experiment_id: Mapped[UUID] = mapped_column(ForeignKey("experiments.id"))
    owner: Mapped[str]
    digest: Mapped[str] = mapped_column(ForeignKey("groups.digest"))
    seed: Mapped[int] = mapped_column(BigInteger)
    priority: Mapped[int]
    device: Mapped[str]
    devices: Mapped[int] = mapped_column(server_default="1")
    data: Mapped[list[str]] = mapped_column(server_default=text("'{}'"))
    state: Mapped[str] = mapped_column(server_default="queued")
    attempt: Mapped[int] = mapped_column(server_default="0")
    losses: Mapped[int] = mapped_column(server_default="0")
    epoch: Mapped[int] = mapped_column(server_default="0")
    worker_id: Mapped[UUID | None]
    lease_until: Mapped[datetime | None]
    dispatched_at: Mapped[datetime | None]
    not_before: Mapped[datetime | None]
    retry_of: Mapped[UUID | None] = mapped_column(ForeignKey("runs.id"), unique=True)
    failure_class: Mapped[str | None]
    failure_message: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]

    __table_args__ = (
        Index(None, "experiment_id", "seed"),
        # A seed has one run that was asked for; an operator's retry is another, linked to the one that it replaces.
        Index("uq_runs_asked", "experiment_id", "seed", unique=True, postgresql_where=text("retry_of IS NULL")),
        CheckConstraint(_among("state", STATES), name="state"),
        CheckConstraint(f"({_among('state', OWNED)}) = (lease_until IS NOT NULL)", name="lease"),
        CheckConstraint(f"({_among('state', TERMINAL)}) = (finished_at IS NOT NULL)", name="finished"),
        CheckConstraint("(state = 'failed') = (failure_class IS NOT NULL)", name="failure"),
        CheckConstraint("attempt >= 0 AND losses >= 0 AND epoch >= 0", name="counts"),
        CheckConstraint("devices >= 1", name="devices"),
        Index(
            "ix_runs_queued",
            text("priority DESC"),
            "created_at",
            "id",
            postgresql_where=text("state = 'queued'"),
        ),
        Index("ix_runs_leased", "lease_until", postgresql_where=text(_among("state", OWNED))),
        Index("ix_runs_succeeded", "digest", "seed", postgresql_where=text("state = 'succeeded'")),
        Index("ix_runs_held_back", "state", "not_before", postgresql_where=text("state IN ('blocked', 'retry_wait')")),
        CheckConstraint("(state = 'retry_wait') <= (not_before IS NOT NULL)", name="wait"),
    )


class Need(Base):
    """That one run waits until another has succeeded."""

    __tablename__ = "needs"

    run_id: Mapped[UUID] = mapped_column(ForeignKey("runs.id"), primary_key=True)
    needs_run_id: Mapped[UUID] = mapped_column(ForeignKey("runs.id"), primary_key=True)

    __table_args__ = (CheckConstraint("run_id <> needs_run_id", name="other"), Index(None, "needs_run_id"))


class Deed(Base):
    """What was done to which object, by whom: only ever added to. `before` and `after` are what changed of it."""

    __tablename__ = "audit"

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    actor: Mapped[str]
    action: Mapped[str]
    kind: Mapped[str]
    object_id: Mapped[UUID]
    before: Mapped[dict[str, Any] | None]
    after: Mapped[dict[str, Any] | None]

    __table_args__ = (Index(None, "object_id", "id"),)


class Attempt(Base):
    """One try of one worker at one run; `trained_seconds` are those from its trainer's being ready to its last word."""

    __tablename__ = "attempts"

    run_id: Mapped[UUID] = mapped_column(ForeignKey("runs.id"), primary_key=True)
    n: Mapped[int] = mapped_column(primary_key=True)
    worker_id: Mapped[UUID]
    host: Mapped[str]
    devices: Mapped[list[str]] = mapped_column(server_default=text("'{}'"))
    pid: Mapped[int | None]
    first_epoch: Mapped[int | None]
    last_epoch: Mapped[int | None]
    last_step: Mapped[int | None] = mapped_column(BigInteger)
    images_per_second: Mapped[float | None]
    seconds_left: Mapped[float | None]
    trained_seconds: Mapped[float | None]
    started_at: Mapped[datetime] = mapped_column(server_default=func.now())
    ended_at: Mapped[datetime | None]
    outcome: Mapped[str | None]
    exit_code: Mapped[int | None]
    error: Mapped[str | None]
    provenance: Mapped[dict[str, Any] | None]

    __table_args__ = (
        CheckConstraint(_among("outcome", OUTCOMES), name="outcome"),
        CheckConstraint("(outcome IS NULL) = (ended_at IS NULL)", name="ended"),
    )


class CurvePoint(Base):
    """One value of one metric after one epoch (`step`) of one attempt."""

    __tablename__ = "curves"

    run_id: Mapped[UUID] = mapped_column(primary_key=True)
    attempt: Mapped[int] = mapped_column(primary_key=True)
    metric: Mapped[str] = mapped_column(primary_key=True)
    step: Mapped[int] = mapped_column(primary_key=True)
    value: Mapped[float]

    __table_args__ = (ForeignKeyConstraint(["run_id", "attempt"], ["attempts.run_id", "attempts.n"]),)


class Checkpoint(Base):
    """A checkpoint of an attempt after so many epochs; `place` is where it lies, `sha256` that of its tensors."""

    __tablename__ = "checkpoints"

    run_id: Mapped[UUID] = mapped_column(primary_key=True)
    attempt: Mapped[int] = mapped_column(primary_key=True)
    epoch: Mapped[int] = mapped_column(primary_key=True)
    place: Mapped[str]
    sha256: Mapped[str]
    size_bytes: Mapped[int] = mapped_column(BigInteger)
    committed_at: Mapped[datetime] = mapped_column(server_default=func.now())

    __table_args__ = (ForeignKeyConstraint(["run_id", "attempt"], ["attempts.run_id", "attempts.n"]),)


class LogLine(Base):
    """The n-th line that an attempt's trainer printed."""

    __tablename__ = "log_lines"

    run_id: Mapped[UUID] = mapped_column(primary_key=True)
    attempt: Mapped[int] = mapped_column(primary_key=True)
    n: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(server_default=func.now())
    line: Mapped[str]

    __table_args__ = (ForeignKeyConstraint(["run_id", "attempt"], ["attempts.run_id", "attempts.n"]),)


class Result(Base):
    """One metric of one finished run, for one selection of its epochs."""

    __tablename__ = "results"

    run_id: Mapped[UUID] = mapped_column(ForeignKey("runs.id"), primary_key=True)
    metric: Mapped[str] = mapped_column(primary_key=True)
    selection: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[float]


class Entry(Base):
    """The run that counts for one seed of a group: a seed counts once, however often it was run.

    `device` is the kind of device that it was made on, where that is known.
    """

    __tablename__ = "entries"

    digest: Mapped[str] = mapped_column(ForeignKey("groups.digest"), primary_key=True)
    seed: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    run_id: Mapped[UUID] = mapped_column(ForeignKey("runs.id"), unique=True)
    device: Mapped[str | None]


class Standing(Base):
    """One metric of one group over its seeds: count, mean, sum of squared deviations, least and largest.

    Where the group lies, and what it can be chosen by (as numbers), stand beside the mean: who walks along the means
    needn't look up each group.
    """

    __tablename__ = "leaderboard"

    digest: Mapped[str] = mapped_column(ForeignKey("groups.digest"), primary_key=True)
    metric: Mapped[str] = mapped_column(primary_key=True)
    selection: Mapped[str] = mapped_column(primary_key=True)
    n: Mapped[int]
    mean: Mapped[float]
    m2: Mapped[float]
    low: Mapped[float | None]
    low_seed: Mapped[int | None] = mapped_column(BigInteger)
    high: Mapped[float | None]
    high_seed: Mapped[int | None] = mapped_column(BigInteger)
    cell_id: Mapped[int | None]
    data: Mapped[str | None]
    model: Mapped[str | None]
    mixing: Mapped[str | None]
    epochs: Mapped[int | None]
    loss: Mapped[str | None]
    facets: Mapped[list[int]] = mapped_column(server_default=text("'{}'"))

    __table_args__ = (
        Index(None, "metric", "selection", "mean", "digest"),
        Index(None, "cell_id", "metric", "selection", "mean", "digest"),
        *(
            Index(None, "metric", "selection", column, "mean", "digest")
            for column in ("data", "model", "mixing", "epochs", "loss")
        ),
        Index(None, "metric", "selection", "n"),
        Index("ix_leaderboard_numbers", text(NUMBERS), postgresql_using="gin", postgresql_with={"fastupdate": "off"}),
        Index("ix_leaderboard_sample", "metric", "selection", "mean", "digest", postgresql_where=text(SAMPLE)),
    )


class Worker(Base):
    """A Celery worker that is, or was, alive."""

    __tablename__ = "workers"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    host: Mapped[str]
    pid: Mapped[int]
    slots: Mapped[int]
    draining: Mapped[bool] = mapped_column(server_default=text("false"))
    queues: Mapped[list[str]]
    data: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'::jsonb"))
    started_at: Mapped[datetime] = mapped_column(server_default=func.now())
    last_seen: Mapped[datetime] = mapped_column(server_default=func.now())


class Device(Base):
    """A device of a worker, and the attempt that holds it, if one does."""

    __tablename__ = "devices"

    worker_id: Mapped[UUID] = mapped_column(ForeignKey("workers.id", ondelete="CASCADE"), primary_key=True)
    uuid: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[str]
    run_id: Mapped[UUID | None]
    attempt: Mapped[int | None]

    __table_args__ = (
        ForeignKeyConstraint(["run_id", "attempt"], ["attempts.run_id", "attempts.n"]),
        CheckConstraint(_among("kind", DEVICE_KINDS), name="kind"),
        CheckConstraint("(run_id IS NULL) = (attempt IS NULL)", name="held"),
        Index(None, "run_id", "attempt", postgresql_where=text("run_id IS NOT NULL")),
    )


class Comparison(Base):
    """Arms over the same seeds, one of them the baseline. `unlike` names the places where arms differ in data or
    budget; `base` is the spec whose parts the arms replace."""

    __tablename__ = "comparisons"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    owner: Mapped[str]
    name: Mapped[str]
    metric: Mapped[str]
    baseline: Mapped[str]
    smallest_difference: Mapped[float | None]
    base: Mapped[dict[str, Any]]
    seeds: Mapped[list[int]] = mapped_column(ARRAY(BigInteger))
    tags: Mapped[list[str]]
    fresh: Mapped[bool]
    allow_unlike: Mapped[bool]
    unlike: Mapped[list[str]]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())

    __table_args__ = (
        CheckConstraint("smallest_difference > 0", name="smallest_difference"),
        Index(None, "owner", text("id DESC")),
        Index(None, "owner", "name", text("id DESC")),
        Index(None, "tags", postgresql_using="gin"),
    )


class Arm(Base):
    """One spec of a comparison under its name; `experiment_id` is what trains its seeds, null where all are shared."""

    __tablename__ = "arms"

    comparison_id: Mapped[UUID] = mapped_column(ForeignKey("comparisons.id"), primary_key=True)
    name: Mapped[str] = mapped_column(primary_key=True)
    position: Mapped[int]
    digest: Mapped[str] = mapped_column(ForeignKey("groups.digest"))
    experiment_id: Mapped[UUID | None] = mapped_column(ForeignKey("experiments.id"))

    __table_args__ = (
        UniqueConstraint("comparison_id", "position"),
        UniqueConstraint("comparison_id", "digest"),
    )


class ArmRun(Base):
    """The run of one seed of an arm as it was first asked for, or, `shared`, a finished one of the same spec."""

    __tablename__ = "arm_runs"

    comparison_id: Mapped[UUID] = mapped_column(primary_key=True)
    arm: Mapped[str] = mapped_column(primary_key=True)
    seed: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    run_id: Mapped[UUID] = mapped_column(ForeignKey("runs.id"))
    shared: Mapped[bool]

    __table_args__ = (
        ForeignKeyConstraint(["comparison_id", "arm"], ["arms.comparison_id", "arms.name"]),
        Index(None, "run_id"),
    )
