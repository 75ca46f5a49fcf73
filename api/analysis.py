"""What a comparison says, so far and in the end."""

from collections import Counter, OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from threading import Lock
from typing import Any
from uuid import UUID

from api.samples import Source, gather, single_images
from mmix.comparison import Arm, Question, analyse
from mmix.spec.evaluation import higher_is_better
from mmix.store import findings
from mmix.store.comparisons import ComparisonView, RunOfArm
from mmix.store.sessions import Sessions
from mmix.store.states import TERMINAL

Json = dict[str, Any]

KEPT = 128
"""Analyses that are remembered: the same runs always say the same."""


@dataclass(frozen=True)
class _Key:
    comparison: UUID
    metric: str
    complete: bool
    ended: frozenset[tuple[UUID, str]]
    measured: frozenset[UUID]


class Analyses:
    """The analyses of comparisons over one database and one place of artifacts; those made lately cost nothing."""

    def __init__(self, sessions: Sessions, root: str) -> None:
        self._sessions = sessions
        self._root = root
        self._kept: OrderedDict[_Key, Json | None] = OrderedDict()
        self._lock = Lock()

    def of(self, view: ComparisonView, metric: str) -> Json | None:
        """The analysis by this metric; None until there is a unit that the baseline and another arm have.

        Raises: StorageError
        """
        key = self._key(view, metric)
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        made = self._made(view, key)
        with self._lock:
            self._kept[key] = made
            while len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        return made

    def _key(self, view: ComparisonView, metric: str) -> _Key:
        runs = [run for arm in view.arms for run in arm.runs]
        ended = frozenset((run.id, str(run.state)) for run in runs if run.state in TERMINAL)
        with self._sessions.begin() as session:
            measured = findings.known(session, run_ids=[run_id for run_id, _ in ended], metric=metric)
        return _Key(view.summary.id, metric, complete=_is_complete(runs), ended=ended, measured=measured)

    def _made(self, view: ComparisonView, key: _Key) -> Json | None:
        with self._sessions.begin() as session:
            found = findings.look_up(session, run_ids=[*key.measured], metric=key.metric)
        source = Source(key.metric, found, self._root)
        arms = gather(view, source)
        if not _is_paired(arms, view.summary.baseline):
            return None
        if key.complete:  # before, there is no verdict that would need them
            images = single_images(view, source, arms)
            arms = [replace(arm, images=images.get(arm.name, {})) for arm in arms]
        primary = key.metric == view.summary.metric
        question = Question(
            metric=key.metric,
            baseline=view.summary.baseline,
            higher_is_better=higher_is_better(key.metric),
            smallest_difference=view.summary.smallest_difference if primary else None,
            complete=key.complete,
        )
        document: Json = analyse(arms, question).document()
        document["left_out"] += _unmeasured(view, arms)
        return document | {"primary": primary, "unlike": view.summary.unlike}


def _is_complete(runs: Sequence[RunOfArm]) -> bool:
    """Whether all runs have ended by themselves: who may stop where the numbers please could have any verdict."""
    return all(run.state in TERMINAL and run.state != "cancelled" for run in runs)


def _is_paired(arms: Sequence[Arm], baseline: str) -> bool:
    known = next(arm.values.keys() for arm in arms if arm.name == baseline)
    return any(known & arm.values.keys() for arm in arms if arm.name != baseline)


def _unmeasured(view: ComparisonView, arms: Sequence[Arm]) -> list[Json]:
    """Seeds of arms whose runs have ended without a value, and why."""
    found: list[Json] = []
    for arm, measured in zip(view.arms, arms, strict=True):
        seeds = {unit[0] for unit in measured.values}
        without = Counter(run.state for run in arm.runs if run.state in TERMINAL and run.seed not in seeds)
        reasons = {"failed": "their runs failed", "cancelled": "their runs were cancelled"}
        found += [
            {"arm": arm.name, "units": count, "why": reasons.get(state, "their runs have no such result")}
            for state, count in without.items()
        ]
    return found
