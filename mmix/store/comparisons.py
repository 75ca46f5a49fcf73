"""Comparisons: arms over the same seeds, an experiment each; finished runs of the same spec are shared."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, Text, any_, exists, func, insert, literal, select, text
from sqlalchemy.orm import Session, aliased
from uuid_utils.compat import uuid7

from mmix.errors import NotFound
from mmix.spec.comparison import ComparisonSpec
from mmix.spec.experiment import canonical
from mmix.store import bulk, experiments, runs
from mmix.store.experiments import Order, Wish
from mmix.store.states import State, of_experiment
from mmix.store.tables import Arm, ArmRun, Comparison, Deed, Entry, Group, Run


@dataclass(frozen=True)
class RunOfArm:
    """The run that counts for a seed of an arm: of a retried one the last retry. `shared`: it was there before."""

    id: UUID
    seed: int
    state: State
    shared: bool


@dataclass(frozen=True)
class ArmView:
    """An arm with its runs; `label` is its method in a few words."""

    name: str
    label: str
    digest: str
    spec: dict[str, Any]
    runs: list[RunOfArm]


@dataclass(frozen=True)
class Summary:
    """A comparison in one line: its arms by their names, and how many of their runs are in which state."""

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
    arms: list[str]
    runs: dict[str, int]


@dataclass(frozen=True)
class ComparisonView:
    """A comparison with its arms."""

    summary: Summary
    arms: list[ArmView]


_Runs = dict[tuple[str, int], UUID]  # by the digest of their spec and their seed


def create(session: Session, *, owner: str, asked: ComparisonSpec, wish: Wish) -> UUID:
    """Stores a comparison, and for each arm an experiment over those of its seeds for which no run is shared.

    `wish` holds for these experiments, but for the seeds; they carry its tags and one that names the comparison.
    """
    comparison_id = uuid7()
    shared = {} if asked.fresh else _finished(session, owner, asked)
    tagged = replace(wish, tags=(*wish.tags, f"comparison:{comparison_id}"))
    made = _place(session, owner, asked, tagged, shared)
    own = {(digest, seed): run_id for digest, each in made.items() for seed, run_id in each.runs.items()}
    named = {"id": comparison_id, "owner": owner, "tags": list(wish.tags)}
    session.execute(insert(Comparison).values(named | _values(asked)))
    bulk.insert(session, Arm, _arms(comparison_id, asked, {digest: each.id for digest, each in made.items()}))
    bulk.insert(session, ArmRun, _arm_runs(comparison_id, asked, own, shared=False))
    bulk.insert(session, ArmRun, _arm_runs(comparison_id, asked, shared, shared=True))
    _note(session, comparison_id, "create", {"runs": len(own), "shared": len(shared)})
    return comparison_id


def cancel(session: Session, *, owner: str, comparison_id: UUID) -> None:
    """Cancels every run of its own that isn't finished; a comparison that has ended stays as it is.

    Raises: NotFound
    """
    _know(session, owner, comparison_id)
    own = select(Arm.experiment_id).where(Arm.comparison_id == comparison_id, Arm.experiment_id.is_not(None))
    runs.cancel_experiments(session, owner=owner, ids=[found for found in session.scalars(own) if found is not None])
    _note(session, comparison_id, "cancel", None)


def get(session: Session, *, owner: str, comparison_id: UUID) -> ComparisonView:
    """One comparison of this owner.

    Raises: NotFound, also where it belongs to somebody else.
    """
    found = session.scalar(select(Comparison).where(Comparison.owner == owner, Comparison.id == comparison_id))
    if found is None:
        raise _unknown(comparison_id)
    arms = session.execute(
        select(Arm.name, Group.label, Arm.digest, Group.spec)
        .join(Group, Group.digest == Arm.digest)
        .where(Arm.comparison_id == comparison_id)
        .order_by(Arm.position)
    ).all()
    lines: dict[str, list[RunOfArm]] = defaultdict(list)
    for row in session.execute(_current([comparison_id])):
        lines[row.arm].append(RunOfArm(id=row.id, seed=row.seed, state=row.state, shared=row.shared))
    place = {seed: number for number, seed in enumerate(found.seeds)}
    views = [
        ArmView(**arm._mapping, runs=sorted(lines[arm.name], key=lambda run: place[run.seed]))  # by the query's names
        for arm in arms
    ]
    counts = Counter(run.state for view in views for run in view.runs)
    return ComparisonView(_summary(found, [view.name for view in views], counts), views)


def page(
    session: Session, *, owner: str, name: str | None, tags: Sequence[str], before: UUID | None, limit: int
) -> list[Summary]:
    """The newest comparisons of this owner, of this name where it is given, with all of these tags."""
    query = select(Comparison).where(Comparison.owner == owner).order_by(Comparison.id.desc()).limit(limit)
    if name is not None:
        query = query.where(Comparison.name == name)
    if tags:
        query = query.where(Comparison.tags.contains(list(tags)))
    if before is not None:
        query = query.where(Comparison.id < before)
    found = session.scalars(query).all()
    ids = [each.id for each in found]
    arms: dict[UUID, list[str]] = defaultdict(list)
    named = select(Arm.comparison_id, Arm.name).where(Arm.comparison_id.in_(ids))
    for comparison_id, arm in session.execute(named.order_by(Arm.comparison_id, Arm.position)):
        arms[comparison_id].append(arm)
    states = _current(ids).subquery()
    counted = select(states.c.comparison_id, states.c.state, func.count()).group_by(
        states.c.comparison_id, states.c.state
    )
    counts: dict[UUID, Counter[State]] = defaultdict(Counter)
    for comparison_id, state, count in session.execute(counted):
        counts[comparison_id][state] = count
    return [_summary(each, arms[each.id], counts[each.id]) for each in found]


def _finished(session: Session, owner: str, asked: ComparisonSpec) -> _Runs:
    """This owner's finished runs of the arms and seeds, those that count on the leaderboard."""
    digests = literal([entrant.digest for entrant in asked.entrants], ARRAY(Text))
    rows = session.execute(
        select(Entry.digest, Entry.seed, Entry.run_id)
        .join(Run, Run.id == Entry.run_id)
        .where(Run.owner == owner, Entry.digest == any_(digests), Entry.seed.in_(asked.seeds))
        .with_for_update(of=Run, read=True, key_share=True)  # nobody deletes them before the comparison names them
    )
    return {(row.digest, row.seed): row.run_id for row in rows}


def _place(
    session: Session, owner: str, asked: ComparisonSpec, wish: Wish, shared: _Runs
) -> dict[str, experiments.Made]:
    """The experiment of each arm that has something to run, by its digest."""
    wanted = {
        entrant.digest: tuple(seed for seed in asked.seeds if (entrant.digest, seed) not in shared)
        for entrant in asked.entrants
    }
    orders = [
        Order(entrant.spec, entrant.digest, replace(wish, seeds=wanted[entrant.digest]))
        for entrant in asked.entrants
        if wanted[entrant.digest]
    ]
    made = experiments.create_all(session, owner=owner, orders=orders)
    return {order.digest: each for order, each in zip(orders, made, strict=True)}


def _values(asked: ComparisonSpec) -> dict[str, Any]:
    copied = ("name", "metric", "baseline", "smallest_difference", "fresh", "allow_unlike")
    told = {name: getattr(asked, name) for name in copied}
    return told | {"base": canonical(asked.base), "seeds": list(asked.seeds), "unlike": list(asked.unlike)}


def _arms(comparison_id: UUID, asked: ComparisonSpec, experiment_of: dict[str, UUID]) -> list[dict[str, Any]]:
    return [
        {
            "comparison_id": comparison_id,
            "name": entrant.name,
            "position": position,
            "digest": entrant.digest,
            "experiment_id": experiment_of.get(entrant.digest),
        }
        for position, entrant in enumerate(asked.entrants)
    ]


def _arm_runs(comparison_id: UUID, asked: ComparisonSpec, found: _Runs, *, shared: bool) -> list[dict[str, Any]]:
    names = {entrant.digest: entrant.name for entrant in asked.entrants}
    same = {"comparison_id": comparison_id, "shared": shared}
    return [{"arm": names[digest], "seed": seed, "run_id": run_id, **same} for (digest, seed), run_id in found.items()]


def _current(ids: Sequence[UUID]) -> Any:
    """Of each seed of each arm of these comparisons the run that counts: the last retry where there are some."""
    asked = select(ArmRun).where(ArmRun.comparison_id.in_(ids)).cte("counting", recursive=True)
    counting = asked.union_all(
        select(asked.c.comparison_id, asked.c.arm, asked.c.seed, Run.id, asked.c.shared).join(
            Run, Run.retry_of == asked.c.run_id
        )
    )
    newer = aliased(Run)
    columns = (counting.c.comparison_id, counting.c.arm, counting.c.seed, counting.c.shared)
    return (
        select(*columns, Run.id, Run.state)
        .join(Run, Run.id == counting.c.run_id)
        .where(~exists().where(newer.retry_of == Run.id))
    )


def _summary(found: Comparison, arms: list[str], counts: Mapping[State, int]) -> Summary:
    copied = (
        "id",
        "name",
        "owner",
        "metric",
        "baseline",
        "smallest_difference",
        "seeds",
        "tags",
        "unlike",
        "created_at",
    )
    told = {name: getattr(found, name) for name in copied}
    return Summary(
        **told, state=of_experiment(set(counts)), arms=arms, runs={str(state): count for state, count in counts.items()}
    )


def _know(session: Session, owner: str, comparison_id: UUID) -> None:
    known = select(Comparison.id).where(Comparison.owner == owner, Comparison.id == comparison_id)
    if session.scalar(known) is None:
        raise _unknown(comparison_id)


def _unknown(comparison_id: UUID) -> NotFound:
    return NotFound(f"There is no comparison {comparison_id}")


def _note(session: Session, comparison_id: UUID, action: str, after: dict[str, Any] | None) -> None:
    """Notes in the audit what is done to a comparison; what is done to its runs is noted by itself."""
    actor = func.coalesce(func.nullif(func.current_setting("mmix.actor", True), ""), text("session_user"))
    deed = {"action": action, "kind": "comparison", "object_id": comparison_id, "after": after}
    session.execute(insert(Deed).values({**deed, "actor": actor}))
