"""A suite: the studies that decide what a paper claims, at three budgets."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from mmix.errors import SpecError
from mmix.suites.study import Budget, Preset, Study


@dataclass(frozen=True)
class Suite:
    """Studies by budget; `version` rises with every change to them, so that a rerun is then another run.

    `pools` name studies whose units are also analysed together.
    """

    name: str
    version: int
    summary: str
    source: str
    budgets: Mapping[Budget, tuple[Study, ...]]
    pools: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def studies(self, budget: Budget) -> tuple[Study, ...]:
        """All studies of a budget, of every preset."""
        return self.budgets[budget]

    def chosen(self, budget: Budget, *, preset: Preset = "paper", names: Sequence[str] = ()) -> tuple[Study, ...]:
        """The studies that these words ask for; all of the preset where no names are given.

        Raises: SpecError where there is no such study at this budget.
        """
        known = {study.name: study for study in self.studies(budget)}
        unknown = [name for name in names if name not in known]
        if unknown:
            raise SpecError(
                f"{self.name} has no study {' and no '.join(map(repr, unknown))} at the budget {budget}; "
                f"allowed: {', '.join(known)}"
            )
        if names:
            return tuple(known[name] for name in names)
        found = tuple(study for study in known.values() if study.preset == preset)
        if not found:
            there = sorted({study.preset for study in known.values()})
            raise SpecError(f"{self.name} has no preset {preset!r} at the budget {budget}; allowed: {', '.join(there)}")
        return found

    def published_as(self, study: Study) -> Study:
        """The study of the paper's budget whose published figures belong beside this one; itself if there is none."""
        wanted = study.stands_for or study.name
        return next((found for found in self.budgets["paper"] if found.name == wanted), study)
