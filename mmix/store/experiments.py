"""Experiments: what was asked, by whom, for which seeds."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import func, insert, or_, select
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import Session
from uuid_utils.compat import uuid7

from mmix.errors import Conflict, NotFound
from mmix.spec.data import name_of
from mmix.spec.experiment import ExperimentSpec, canonical, digest, label, needed_data
from mmix.store import attempts
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


def create(session: Session, *, owner: str, spec: ExperimentSpec, wish: Wish) -> UUID:
    """Stores one experiment and one run per seed, and wakes the dispatcher on commit.

    `wish.after` names experiments or runs of this owner: until they have all succeeded the new runs are blocked.

    Raises: NotFound where one of them isn't there.
    """
    needed = _needed(session, owner, wish.after)
    group = _group(session, spec)
    experiment_id = uuid7()
    session.execute(
        insert(Experiment).values(
            id=experiment_id,
            owner=owner,
            digest=group,
            tags=list(wish.tags),
            priority=wish.priority,
            device=wish.device,
            max_runtime_seconds=wish.max_runtime_seconds,
        )
    )
    shared = {
        "experiment_id": experiment_id,
        "owner": owner,
        "digest": group,
        "priority": wish.priority,
        "device": wish.device,
        "devices": spec.training.devices,
        "data": list(needed_data(spec)),
        "state": "blocked" if needed else "queued",
    }
    ids = [uuid7() for _ in wish.seeds]
    session.execute(
        insert(Run), [{"id": made, "seed": seed, **shared} for made, seed in zip(ids, wish.seeds, strict=True)]
    )
    if needed:
        session.execute(insert(Need), [{"run_id": made, "needs_run_id": other} for made in ids for other in needed])
    attempts.wake(session)
    return experiment_id


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


def _group(session: Session, spec: ExperimentSpec) -> str:
    name = digest(spec)
    row = {
        "digest": name,
        "spec": canonical(spec),
        "data": name_of(spec.data),
        "model": spec.model.kind,
        "mixing": spec.mixing.kind,
        "label": label(spec),
    }
    session.execute(upsert(Group).values(row).on_conflict_do_nothing())
    return name


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
