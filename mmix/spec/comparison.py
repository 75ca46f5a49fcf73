"""What is asked of a comparison: arms that replace whole parts of one spec, over the same seeds."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any, Self

from pydantic import AfterValidator, Field, JsonValue, ValidationError, model_validator
from pydantic_core import InitErrorDetails, PydanticCustomError

from mmix.spec import grid as grids
from mmix.spec.data import Seed
from mmix.spec.evaluation import METRIC_NAMES_HELP, is_metric
from mmix.spec.experiment import ExperimentSpec, digest
from mmix.spec.likeness import Difference, differences
from mmix.spec.measures import measured
from mmix.spec.part import Part, PartName, Real

MOST_RUNS = 1000
_LISTED = 30  # names that an error lists

Place = tuple[str | int, ...]
Name = Annotated[str, Field(pattern=r"^[^\s\x00-\x1f\x7f]([^\x00-\x1f\x7f]{0,198}[^\s\x00-\x1f\x7f])?$")]


class ArmRequest(Part):
    """A name, and the parts that stand in the place of the base's; an arm without any is the base itself."""

    name: Name
    replace: dict[PartName, JsonValue] = Field(default_factory=dict)


@dataclass(frozen=True)
class Entrant:
    """An arm with its whole spec. place: where in the request it comes from."""

    name: str
    spec: ExperimentSpec
    digest: str
    place: Place


def _unique(seeds: tuple[int, ...]) -> tuple[int, ...]:
    doubled = sorted(seed for seed, count in Counter(seeds).items() if count > 1)
    if doubled:
        raise PydanticCustomError(
            "doubled", "Each seed may stand once", {"given": doubled, "allowed": "seeds that differ"}
        )
    return seeds


class ComparisonSpec(Part):
    """Arms against a baseline over the same seeds, by one metric that is declared in advance.

    Each arm replaces whole parts of `base`. A `grid` makes more arms, one for each combination of the values that it
    lists for places of the base, as `mixing.alpha`; they are named after these, as `alpha=1.0 layers=[0,1]`.
    `smallest_difference`, in the metric's unit, is what would matter: the power to find it is told. Arms that differ
    from the baseline in `data`, or in the budget that is `training`'s epochs, batch_size, precision and devices, are
    refused unless `allow_unlike`, and marked then. A finished run of an arm's spec and seed is shared rather than
    repeated, unless `fresh`.
    """

    name: Name
    base: ExperimentSpec
    arms: Annotated[tuple[ArmRequest, ...], Field(max_length=MOST_RUNS, strict=False)] = ()
    grid: Annotated[
        dict[str, Annotated[tuple[JsonValue, ...], Field(min_length=1, max_length=MOST_RUNS, strict=False)]],
        Field(max_length=8, default_factory=dict),
    ]
    seeds: Annotated[tuple[Seed, ...], Field(min_length=1, max_length=MOST_RUNS, strict=False), AfterValidator(_unique)]
    metric: Annotated[str, Field(max_length=100)] = "error"
    baseline: str
    smallest_difference: Annotated[Real, Field(gt=0)] | None = None
    allow_unlike: bool = False
    fresh: bool = False

    @cached_property
    def entrants(self) -> tuple[Entrant, ...]:
        """The arms that are listed, then those of the grid.

        Raises: ValidationError where one of them isn't a spec.
        """
        base = self.base.model_dump(mode="json")
        listed = [
            (arm.name, {**base, **arm.replace}, ("arms", number, "replace")) for number, arm in enumerate(self.arms)
        ]
        made: list[tuple[str, dict[str, Any], Place]] = [
            (label, document, ("grid",))
            for label, document in (grids.combinations(base, self.grid) if self.grid else ())
        ]
        found, refused = [], []
        for name, document, place in listed + made:
            try:
                spec = ExperimentSpec.model_validate(document)
            except ValidationError as error:
                refused += [_inside(each, name, place, list(self.grid)) for each in error.errors()]
            else:
                found.append(Entrant(name, spec, digest(spec), place))
        _refuse(refused)
        return tuple(found)

    @cached_property
    def unlike(self) -> tuple[str, ...]:
        """The places in which arms differ from the baseline in data or budget, sorted."""
        return tuple(sorted({difference.place for _, difference in self._differences}))

    @cached_property
    def _differences(self) -> tuple[tuple[Entrant, Difference], ...]:
        baseline = next(entrant for entrant in self.entrants if entrant.name == self.baseline)
        return tuple((each, found) for each in self.entrants for found in differences(each.spec, baseline.spec))

    @model_validator(mode="after")
    def _there_are_arms_and_not_too_many(self) -> Self:
        base = self.base.model_dump(mode="json")
        unknown = [(place, grids.missing(base, place)) for place in self.grid]
        _refuse(
            _refusal(("grid", place), "The base has no such place", given=place, allowed=_listed(allowed))
            for place, allowed in unknown
            if allowed is not None
        )
        arms = len(self.arms) + (math.prod(map(len, self.grid.values())) if self.grid else 0)
        if arms < 1:
            _refuse(
                [_refusal(("arms",), "There is nothing to compare", given="no arm", allowed="arms, a grid or both")]
            )
        if arms * len(self.seeds) > MOST_RUNS:
            given = f"{arms} arms over {len(self.seeds)} seeds, {arms * len(self.seeds)} runs"
            allowed = f"at most {MOST_RUNS} runs"
            _refuse(
                [_refusal(("grid",) if self.grid else ("arms",), "These are too many", given=given, allowed=allowed)]
            )
        return self

    @model_validator(mode="after")
    def _arms_are_told_apart(self) -> Self:
        names, same = Counter(each.name for each in self.entrants), _namesakes(self.entrants)
        _refuse(
            _refusal(_name_of(each), "Each name may stand once", given=each.name, allowed="names that differ")
            for each in self.entrants
            if names[each.name] > 1
        )
        _refuse(
            _refusal(
                each.place,
                "These arms are one and the same experiment",
                given=_listed(same[each.digest]),
                allowed="arms that differ",
            )
            for each in self.entrants
            if len(same[each.digest]) > 1
        )
        if self.baseline not in names:
            allowed = _listed([*names])
            _refuse([_refusal(("baseline",), "There is no arm of this name", given=self.baseline, allowed=allowed)])
        return self

    @model_validator(mode="after")
    def _every_arm_measures_the_metric(self) -> Self:
        check_metric(self.metric, [each.spec for each in self.entrants], place=("metric",))
        return self

    @model_validator(mode="after")
    def _arms_are_alike(self) -> Self:
        if self.allow_unlike:
            return self
        _refuse(
            _refusal(
                each.place[:2],
                f"{each.name!r} and the baseline differ in data or budget",
                given=str(difference.given),
                allowed=f"{difference.expected}, as {self.baseline!r} has it, or allow_unlike: true",
                field=".".join([*map(str, each.place[2:]), difference.place]),
            )
            for each, difference in self._differences
        )
        return self


def check_metric(metric: str, specs: Sequence[ExperimentSpec], *, place: Place) -> None:
    """Refuses a metric that isn't known, or that a run of one of the specs won't have.

    Raises: ValidationError at `place`.
    """
    if not is_metric(metric):
        _refuse([_refusal(place, "There is no metric of this name", given=metric, allowed=METRIC_NAMES_HELP)])
    found = [measured(spec) for spec in specs]
    if not all(metric in names for names in found):
        shared = [name for name in found[0] if all(name in names for names in found)]
        reason = "Not every arm measures it: ask for it under `evaluation` of the base"
        _refuse([_refusal(place, reason, given=metric, allowed=", ".join(shared))])


def _namesakes(entrants: Sequence[Entrant]) -> dict[str, list[str]]:
    """The names of the arms of each digest."""
    found: dict[str, list[str]] = {}
    for each in entrants:
        found.setdefault(each.digest, []).append(each.name)
    return found


def _name_of(entrant: Entrant) -> Place:
    return (*entrant.place[:-1], "name") if entrant.place[0] == "arms" else entrant.place


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return ", ".join(names[:_LISTED]) + more


def _refusal(place: Place, reason: str, *, given: str, allowed: str, field: str | None = None) -> InitErrorDetails:
    context: dict[str, Any] = {"given": given, "allowed": allowed} | ({} if field is None else {"field": field})
    return InitErrorDetails(type=PydanticCustomError("comparison", _literal(reason), context), loc=place, input=given)


def _inside(error: Mapping[str, Any], name: str, place: Place, paths: Sequence[str]) -> InitErrorDetails:
    """An error in an arm's spec, at its place in the request."""
    context = dict(error.get("ctx", {}))
    loc: Place = (*place, *error["loc"])
    if place == ("grid",):
        there = [*map(str, error["loc"]), *str(context.pop("field", "")).split(".")]
        loc = (*place, next((path for path in paths if set(path.split(".")) <= set(there)), paths[0]))
    kind = PydanticCustomError(error["type"], _literal(f"{name!r}: {error['msg']}"), context or None)
    return InitErrorDetails(type=kind, loc=loc, input=error.get("input"))


def _literal(reason: str) -> str:
    """Names in braces would be filled in."""
    return reason.replace("{", "(").replace("}", ")")


def _refuse(found: Any) -> None:
    """Raises: ValidationError with all that was found, where anything was."""
    errors = list(found)
    if errors:
        raise ValidationError.from_exception_data("ComparisonSpec", errors)
