"""Experiments: what was asked, by whom, for which seeds."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import func, insert, or_, select
from sqlalchemy.orm import Session
from uuid_utils.compat import uuid7

from mmix.errors import Conflict, NotFound
from mmix.spec.experiment import ExperimentSpec, digest, needed_data
from mmix.store import attempts, bulk, groups
from mmix.store.retries import current, newest
from mmix.store.states import State, of_experiment
from mmix.store.tables import Answer, Experiment, Group, Need, Run


@dataclass(frozen=True)
class RunLine:
    """A run in one line of its experiment."""

    id: UUID
    seed: int
    state: str


@dataclass(frozen=True)
class ExperimentView:
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
    spec: dict[str, Any]
    label: str
    runs: list[RunLine]


@dataclass(frozen=True)
class Wish:
    """What a POST asks for beside the spec."""

    seeds: tuple[int, ...]
    tags: tuple[str, ...] = ()
    priority: int = 0
    device: str = "any"
    max_runtime_seconds: int | None = None
    after: tuple[UUID, ...] = ()


@dataclass(frozen=True)
class Order:
    """One experiment that is asked for; `digest` is that of its spec."""

    spec: ExperimentSpec
    digest: str
    wish: Wish


@dataclass(frozen=True)
class Made:
    """A new experiment, and its runs by their seeds."""

    id: UUID
    runs: dict[int, UUID]


def create(session: Session, *, owner: str, spec: ExperimentSpec, wish: Wish) -> UUID:
    """Stores one experiment and one run per seed, and wakes the dispatcher on commit.

    `wish.after` names experiments or runs of this owner: until they have all succeeded the new runs are blocked.

    Raises: NotFound where one of them isn't there.
    """
    needed = _needed(session, owner, wish.after)
    state: State = "blocked" if needed else "queued"
    (made,) = _place(session, owner, [Order(spec, digest(spec), wish)], state)
    needs = [{"run_id": run_id, "needs_run_id": other} for run_id in made.runs.values() for other in needed]
    bulk.insert(session, Need, needs)
    return made.id


def create_all(session: Session, *, owner: str, orders: Sequence[Order]) -> list[Made]:
    """Stores experiments that wait for nothing, each with one run per seed, and wakes the dispatcher on commit."""
    assert not any(order.wish.after for order in orders)
    return _place(session, owner, orders, "queued")


def _place(session: Session, owner: str, orders: Sequence[Order], state: State) -> list[Made]:
    words = {order.digest: groups.words_of(owner, order.wish.tags) for order in orders}
    groups.enrol(session, {order.digest: order.spec for order in orders}, words=words)
    made = [Made(uuid7(), {seed: uuid7() for seed in order.wish.seeds}) for order in orders]
    placed = list(zip(orders, made, strict=True))
    bulk.insert(session, Experiment, [_experiment(owner, order, each) for order, each in placed])
    bulk.insert(session, Run, [run for order, each in placed for run in _runs_of(owner, order, each, state)])
    attempts.wake(session)
    return made


def _experiment(owner: str, order: Order, made: Made) -> dict[str, Any]:
    return {
        "id": made.id,
        "owner": owner,
        "digest": order.digest,
        "tags": order.wish.tags,
        "priority": order.wish.priority,
        "device": order.wish.device,
        "max_runtime_seconds": order.wish.max_runtime_seconds,
    }


def _runs_of(owner: str, order: Order, made: Made, state: State) -> list[dict[str, Any]]:
    shared = {
        "experiment_id": made.id,
        "owner": owner,
        "digest": order.digest,
        "priority": order.wish.priority,
        "device": order.wish.device,
        "devices": order.spec.training.devices,
        "data": needed_data(order.spec),
        "state": state,
    }
    return [{"id": run_id, "seed": seed, **shared} for seed, run_id in made.runs.items()]


def _needed(session: Session, owner: str, after: Iterable[UUID]) -> list[UUID]:
    """The runs that are meant: those named, and those of the experiments named; of retried ones the last retry."""
    found: set[UUID] = set()
    for name in after:
        named = (Run.owner == owner, or_(Run.id == name, Run.experiment_id == name))
        runs = session.scalars(select(Run.id).where(*named)).all()
        if not runs:
            raise NotFound(f"There is no experiment or run {name} to wait for: name those of your own")
        found.update(newest(session, run) for run in runs)
    return sorted(found)


def get(session: Session, *, owner: str, experiment_id: UUID) -> ExperimentView:
    """One experiment of this owner.

    Raises: NotFound, also where the experiment belongs to somebody else.
    """
    views = _views(session, select(Experiment).where(Experiment.owner == owner, Experiment.id == experiment_id))
    if not views:
        raise NotFound(f"There is no experiment {experiment_id}")
    return views[0]


def page(session: Session, *, owner: str, before: UUID | None, limit: int) -> list[ExperimentView]:
    """The newest experiments of this owner, those older than `before` where it is given."""
    query = select(Experiment).where(Experiment.owner == owner).order_by(Experiment.id.desc()).limit(limit)
    if before is not None:
        query = query.where(Experiment.id < before)
    return _views(session, query)


def _views(session: Session, query: Any) -> list[ExperimentView]:
    experiments: Sequence[Experiment] = session.scalars(query).all()
    runs = _runs(session, [experiment.id for experiment in experiments])
    digests = {experiment.digest for experiment in experiments}
    groups = {group.digest: group for group in session.scalars(select(Group).where(Group.digest.in_(digests)))}
    return [_view(experiment, groups[experiment.digest], runs[experiment.id]) for experiment in experiments]


def _runs(session: Session, ids: Iterable[UUID]) -> dict[UUID, list[RunLine]]:
    rows = session.execute(
        select(Run.experiment_id, Run.id, Run.seed, Run.state)
        .where(Run.experiment_id.in_(list(ids)), current())
        .order_by(Run.seed)
    )
    runs: dict[UUID, list[RunLine]] = defaultdict(list)
    for row in rows:
        runs[row.experiment_id].append(RunLine(id=row.id, seed=row.seed, state=row.state))
    return runs


def _view(experiment: Experiment, group: Group, runs: list[RunLine]) -> ExperimentView:
    return ExperimentView(
        id=experiment.id,
        digest=experiment.digest,
        owner=experiment.owner,
        state=of_experiment({run.state for run in runs}),
        tags=experiment.tags,
        priority=experiment.priority,
        device=experiment.device,
        max_runtime_seconds=experiment.max_runtime_seconds,
        created_at=experiment.created_at,
        spec=group.spec,
        label=group.label,
        runs=runs,
    )


def remembered(session: Session, *, owner: str, route: str, key: str, request_sha256: str) -> dict[str, Any] | None:
    """The answer once given to this key; None where the key is new.

    Holds a lock on the key until the transaction ends, so that two equal requests at once make one experiment.

    Raises: Conflict where the key was used for another body.
    """
    lock = func.hashtextextended(f"{owner}\n{route}\n{key}", 0)
    session.execute(select(func.pg_advisory_xact_lock(lock)))
    answer = session.get(Answer, (owner, route, key))
    if answer is None:
        return None
    if answer.request_sha256 != request_sha256:
        raise Conflict(
            f"The Idempotency-Key {key!r} was used for another body: send the same body again or choose a new key"
        )
    return answer.body


def remember(session: Session, *, owner: str, route: str, key: str, request_sha256: str, body: dict[str, Any]) -> None:
    """Keeps the answer to a request that carried an Idempotency-Key."""
    session.execute(insert(Answer).values(owner=owner, route=route, key=key, request_sha256=request_sha256, body=body))
