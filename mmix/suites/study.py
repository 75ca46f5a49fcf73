"""A study: one comparison of a suite, as data."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from mmix.spec.experiment import ExperimentSpec, needed_data

Json = dict[str, Any]
Budget = Literal["quick", "standard", "paper"]
"""quick: two CPU cores and ten minutes. standard: one GPU-hour. paper: what the paper spent."""
BUDGETS: tuple[Budget, ...] = ("quick", "standard", "paper")
Preset = Literal["paper", "readme", "code"]
"""Whose settings: the paper's text, its repository's README, or the repository's code, where these disagree."""
PRESETS: tuple[Preset, ...] = ("paper", "readme", "code")


@dataclass(frozen=True)
class Study:
    """Arms that replace whole parts of a base spec, the seeds, and what is asked of them.

    `metrics` stand in the suite's table, the first of them decides. `stands_for` names the study of the paper's budget
    whose published figures belong beside this one, where its own name isn't that study's.
    """

    name: str
    base: Json
    arms: Mapping[str, Json]
    metrics: tuple[str, ...]
    seeds: tuple[int, ...]
    baseline: str = "erm"
    smallest_difference: float | None = None
    allow_unlike: bool = False
    stands_for: str | None = None
    preset: Preset = "paper"

    @property
    def metric(self) -> str:
        """The primary one."""
        return self.metrics[0]

    def specs(self) -> dict[str, ExperimentSpec]:
        """The spec of each arm."""
        return {arm: ExperimentSpec.model_validate({**self.base, **parts}) for arm, parts in self.arms.items()}

    def needs(self) -> tuple[str, ...]:
        """The names of the data sets that some arm needs on the disk of whoever trains it."""
        return tuple(sorted({name for spec in self.specs().values() for name in needed_data(spec)}))

    def seeded(self, count: int) -> "Study":
        """The same study with so many seeds, from 0 on."""
        return replace(self, seeds=tuple(range(count)))


def over(mixings: Mapping[str, Json]) -> dict[str, Json]:
    """Arms that replace the mixing alone."""
    return {arm: {"mixing": mixing} for arm, mixing in mixings.items()}


def body(study: Study, *, suite: str, budget: Budget) -> Json:
    """What POST /v1/comparisons takes."""
    base = {**study.base, **study.arms[study.baseline]}
    return {
        "name": f"{suite}/{study.name}",
        "base": base,
        "arms": [
            {"name": arm, "replace": _replaced({**study.base, **parts}, base)} for arm, parts in study.arms.items()
        ],
        "seeds": list(study.seeds),
        "metric": study.metric,
        "baseline": study.baseline,
        "smallest_difference": study.smallest_difference,
        "tags": tags(suite, budget),
        "allow_unlike": study.allow_unlike,
    }


def tags(suite: str, budget: Budget) -> list[str]:
    """By which a suite's comparisons are found again."""
    return [f"suite:{suite}", f"budget:{budget}"]


def key(asked: Json, *, version: int) -> str:
    """The Idempotency-Key of a study's body: the same study of the same version of its suite is posted once."""
    text = json.dumps([version, asked], sort_keys=True, separators=(",", ":"))
    return f"{asked['name']}:v{version}:{hashlib.sha256(text.encode()).hexdigest()[:16]}"


def _replaced(spec: Json, base: Json) -> Json:
    return {part: value for part, value in spec.items() if base.get(part) != value}


def runs(studies: Sequence[Study]) -> int:
    """How many runs these studies have, before any are shared."""
    return sum(len(study.arms) * len(study.seeds) for study in studies)
