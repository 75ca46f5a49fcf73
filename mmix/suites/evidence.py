"""What a suite's comparisons have come to, and the questions that can be put to them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from types import MappingProxyType

from mmix.comparison import Analysis, Arm, Question, analyse
from mmix.comparison.sample import summarise
from mmix.spec.evaluation import higher_is_better
from mmix.spec.experiment import ExperimentSpec

RATIO, EXCESS, BAYES = "relative_excess_risk", "excess_risk", "bayes_risk"
_FAR = 1_000_000  # more realisations than a run can have: pooled studies share no unit


@dataclass(frozen=True)
class Measured:
    """The newest comparison of one study: its arms by metric, and how many of its runs have ended.

    specs: of each arm. What has no comparison behind it (a pool) has no id.
    """

    arms: Mapping[str, tuple[Arm, ...]]
    specs: Mapping[str, ExperimentSpec]
    baseline: str
    smallest_difference: float | None
    ended: int
    runs: int
    failed: int = 0
    comparison: str | None = None

    @property
    def complete(self) -> bool:
        """Whether every run has ended."""
        return self.ended == self.runs

    def has(self, names: Sequence[str], metric: str) -> bool:
        """Whether these arms have values of this metric."""
        there = {arm.name for arm in self.arms.get(metric, ()) if arm.values}
        return there.issuperset(names)


@dataclass(frozen=True)
class Evidence:
    """The studies of a suite that were measured, by name, and its pools."""

    studies: Mapping[str, Measured] = field(default_factory=lambda: MappingProxyType({}))

    @cached_property
    def _asked(self) -> dict[tuple[str, str, str, tuple[str, ...]], Analysis]:
        return {}

    def analysis(self, study: str, metric: str, *, baseline: str, against: Sequence[str]) -> Analysis:
        """These arms against the baseline, which are there; each question is worked out once."""
        asked = (study, metric, baseline, tuple(against))
        if asked not in self._asked:
            self._asked[asked] = self._analysed(*asked)
        return self._asked[asked]

    def _analysed(self, study: str, metric: str, baseline: str, against: tuple[str, ...]) -> Analysis:
        measured = self.studies[study]
        chosen = [arm for arm in measured.arms[metric] if arm.name in (baseline, *against)]
        question = Question(
            metric=metric,
            baseline=baseline,
            higher_is_better=higher_is_better(metric),
            smallest_difference=measured.smallest_difference,
            complete=measured.complete,
        )
        return analyse(chosen, question)

    def values(self, study: str, metric: str, arm: str) -> Mapping[tuple[int, ...], float]:
        """What one arm, which is there, has of a metric, by unit."""
        return next(found.values for found in self.studies[study].arms[metric] if found.name == arm)


def pooled(parts: Sequence[Measured]) -> Measured:
    """All units of some studies together, each its own; the arms and metrics that all of them have."""
    first = parts[0]
    shared = [metric for metric in first.arms if all(metric in part.arms for part in parts)]
    arms = {metric: _together([part.arms[metric] for part in parts]) for metric in shared}
    return replace(
        first,
        arms=arms | _relative(arms),
        ended=sum(part.ended for part in parts),
        runs=sum(part.runs for part in parts),
        failed=sum(part.failed for part in parts),
        comparison=None,
    )


def _together(parts: Sequence[Sequence[Arm]]) -> tuple[Arm, ...]:
    found = [{arm.name: arm for arm in part} for part in parts]
    return tuple(
        Arm(
            name=name,
            values=_units([arms[name].values for arms in found]),
            selections={
                selection: _units([arms[name].selections.get(selection, {}) for arms in found])
                for selection in found[0][name].selections
            },
        )
        for name in found[0]
        if all(name in arms for arms in found)
    )


def _units(parts: Sequence[Mapping[tuple[int, ...], float]]) -> dict[tuple[int, ...], float]:
    return {
        (*unit[:-1], unit[-1] + _FAR * place): value
        for place, values in enumerate(parts)
        for unit, value in values.items()
    }


def _relative(arms: Mapping[str, Sequence[Arm]]) -> dict[str, tuple[Arm, ...]]:
    """The relative excess risk of each unit: over the mean Bayes risk of all, as single ones come close to 0."""
    if not {EXCESS, BAYES} <= arms.keys():
        return {}
    found = []
    for excess, bayes in zip(arms[EXCESS], arms[BAYES], strict=True):
        mean = summarise(bayes.values.values()).mean
        found.append(Arm(excess.name, {unit: value / mean for unit, value in excess.values.items()} if mean else {}))
    return {RATIO: tuple(found)}
