"""Published figures beside measured ones."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from mmix.comparison import Arm
from mmix.comparison.published import Deviation, Figure, set_beside
from mmix.comparison.sample import Sample, summarise
from mmix.spec.data import name_of
from mmix.spec.experiment import ExperimentSpec
from mmix.spec.mixing import InputMixup, ManifoldMixup
from mmix.suites.evidence import Evidence, Measured
from mmix.suites.published import Likeness, Record, records, setting_matches
from mmix.suites.study import Budget, Study
from mmix.suites.suite import Suite

_OPEN = ": not stated there"


@dataclass(frozen=True)
class Cell:
    """A published figure beside an arm's, under the published selection of epochs where that was measured.

    deviation: None where the data differ, so that no z can be had, or nothing tells the spread.
    """

    study: str
    arm: str
    record: Record
    measured: Sample
    selection: str
    likeness: Likeness
    deviation: Deviation | None

    @property
    def is_as_published(self) -> bool:
        """Whether the budget is the same, and nothing that is stated differs."""
        return self.likeness.same_budget and not self.contradictions

    @property
    def contradictions(self) -> tuple[str, ...]:
        """What is otherwise here than it is stated there."""
        return tuple(difference for difference in self.likeness.differences if _OPEN not in difference)

    def is_of(self, source: str, locator: str, metric: str) -> bool:
        """Whether the figure stands at this place, and is its own: what is quoted was made in another setting."""
        record = self.record
        there = record.source == source and record.locator.startswith(locator) and record.metric == metric
        return there and record.origin == "own"


def cells(suite: Suite, budget: Budget, evidence: Evidence) -> tuple[Cell, ...]:
    """All figures that belong beside the measured studies; those of a pool's studies beside the pool."""
    known = {study.name: study for study in suite.studies(budget)}
    in_pools = {name for names in suite.pools.values() for name in names}
    found: list[Cell] = []
    for name, measured in evidence.studies.items():
        study = known.get(suite.pools[name][0] if name in suite.pools else name)
        if study is not None and name not in in_pools:
            found += _of_study(name, suite.published_as(study), measured)
    return tuple(found)


def _of_study(name: str, published: Study, measured: Measured) -> list[Cell]:
    specs = published.specs()
    return [
        _cell(name, arm, record, measured, measured.arms[metric])
        for metric in measured.arms
        for arm in (each.name for each in measured.arms[metric])
        for record in _records(specs.get(arm, measured.specs[arm]), metric)
    ]


def _records(spec: ExperimentSpec, metric: str) -> Sequence[Record]:
    """Those of the spec's data, model and method; how it was trained may differ."""
    return [
        record
        for record in _by_data().get((name_of(spec.data), metric), ())
        if record.model == spec.model and _says(record, spec)
    ]


@cache
def _by_data() -> Mapping[tuple[str | None, str | None], Sequence[Record]]:
    found: dict[tuple[str | None, str | None], list[Record]] = defaultdict(list)
    for record in records():
        found[record.data, record.metric].append(record)
    return found


def _says(record: Record, spec: ExperimentSpec) -> bool:
    """Whether the record is of the spec's method; one of a difference may leave open whether lambda is shared."""
    stated, mixing = record.mixing, spec.mixing
    if record.baseline is not None and isinstance(stated, InputMixup | ManifoldMixup) and type(stated) is type(mixing):
        return stated.model_copy(update={"sharing": mixing.sharing}) == mixing
    return stated == mixing


def _cell(study: str, name: str, record: Record, measured: Measured, arms: Sequence[Arm]) -> Cell:
    arm = next(each for each in arms if each.name == name)
    selection = record.selection if arm.selections.get(record.selection) else "last"
    values = _selected(arm, selection)
    if record.baseline is not None:
        against = _selected(next(each for each in arms if each.name == measured.baseline), selection)
        values = {unit: value - against[unit] for unit, value in values.items() if unit in against}
    spec = measured.specs[name]
    sample = summarise(values.values())
    published = Figure(value=record.value, spread=record.spread, n=_units(record))
    return Cell(
        study=study,
        arm=name,
        record=record,
        measured=sample,
        selection=selection,
        likeness=setting_matches(record, spec),
        deviation=set_beside(sample, published) if record.data == name_of(spec.data) else None,
    )


def _units(record: Record) -> int | None:
    """Over how many units a published mean is: networks, where one run trained many."""
    many = record.setting.realisations
    return record.n if many is None else many * (record.n or 1)


def _selected(arm: Arm, selection: str) -> dict[tuple[int, ...], float]:
    return dict(arm.values if selection == "last" else arm.selections[selection])
