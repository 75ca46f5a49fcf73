"""From what a service knows of runs and comparisons to the data of figures."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean, stdev
from typing import Any, Literal, assert_never

from mmix.errors import FigureError
from mmix.figures.materials import Measured, belongs, has, material, needed
from mmix.figures.shapes import MOST, Json, Kind

Data = dict[str, Json]
_BOTH = ("error", "nll")


@dataclass(frozen=True)
class Group:
    """The runs that a figure shows as one arm: those of one spec, or of specs that differ in the data alone."""

    label: str
    digests: Sequence[str]
    runs: Sequence[Measured]


@dataclass(frozen=True)
class Wanted:
    """An arm, and the ids of those of its runs that a figure needs."""

    label: str
    digests: Sequence[str]
    runs: Sequence[str]


def of_runs(kind: Kind, groups: Sequence[Group], *, metric: str = "error", by: str = "forward_backward_passes") -> Data:
    """The data of a figure of these runs; groups that have nothing for it are left out.

    metric: of `curves` and `cost`. by: the cost.

    Raises: FigureError where no group has anything for it.
    """
    arms = _merged(groups) if kind == "excess_risk" else groups
    known = [replace(group, runs=[run for run in group.runs if has(run, kind, metric)]) for group in arms]
    known = [group for group in known if group.runs]
    if not known:
        raise FigureError(f"A figure of kind {kind!r} needs {needed(kind, metric)}, and none of the runs has that")
    match kind:
        case "boundary" | "hidden" | "toy":
            return {"panels": [panel for group in known for panel in _panels(group, kind)]}
        case "reliability":
            return {"panels": [_traced(group) | {"documents": _documents(group, kind)} for group in known]}
        case "spectra" | "excess_risk":
            return {"arms": [_traced(group) | {"documents": _documents(group, kind)} for group in known]}
        case "curves":
            return {"metric": metric, "arms": [_curved(group, metric) for group in known]}
        case "alpha":
            return {"arms": [_curved(group, "confmix_alpha") for group in known]}
        case "error_nll":
            return {"arms": [_traced(group) | {name: _mean(group, name) for name in _BOTH} for group in known]}
        case "eps":
            return {"arms": [_attacked(group) for group in known]}
        case "rotation":
            return {"arms": [_accuracies(group, "rotation") for group in known]}
        case "cost":
            return {"metric": metric, "by": by, "arms": [_bought(group, metric, by) for group in known]}
        case _:
            assert_never(kind)


def of_analyses(
    kind: Literal["error_nll", "cost"],
    comparison: Mapping[str, Any],
    analyses: Mapping[str, Mapping[str, Any] | None],
    *,
    by: str = "forward_backward_passes",
    names: Collection[str] = (),
) -> Data:
    """The data of a figure of a comparison, as REST tells it, and of its analyses by metric.

    analyses: for `error_nll` those by error and by NLL, for `cost` the one whose metric is drawn.
    """
    means = {metric: {arm["name"]: arm for arm in found["arms"]} if found else {} for metric, found in analyses.items()}
    arms = _arms(comparison, names)
    match kind:
        case "error_nll":
            return {
                "comparison": comparison["id"],
                "arms": [
                    _arm(arm) | {metric: _told(means[metric].get(arm["name"])) for metric in _BOTH} for arm in arms
                ],
            }
        case "cost":
            (metric,) = means
            found = means[metric]
            return {
                "comparison": comparison["id"],
                "metric": metric,
                "by": by,
                "arms": [
                    _arm(arm)
                    | {
                        "cost": found.get(arm["name"], {}).get("cost", {}).get(by),
                        "value": _told(found.get(arm["name"])),
                    }
                    for arm in arms
                ],
            }
        case _:
            assert_never(kind)


def wanted(kind: Kind, comparison: Mapping[str, Any], *, names: Collection[str] = ()) -> list[Wanted]:
    """Whose runs to read for a figure of a comparison, as REST tells it, or of these arms of it alone.

    A picture of one network stands for its arm, that of the smallest seed; a toy data set is the same for all arms.

    Raises: FigureError where there is no such arm, or none of their runs is far enough.
    """
    ready = ("succeeded", "running") if material(kind) == "curves" else ("succeeded",)
    arms = [(arm, [run for run in arm["runs"] if run["state"] in ready]) for arm in _arms(comparison, names)]
    found = [Wanted(arm["name"], [arm["digest"]], [run["id"] for run in _by_seed(runs)]) for arm, runs in arms if runs]
    if not found:
        raise FigureError("No run of the comparison has succeeded yet: draw it once some have")
    match kind:
        case "boundary" | "hidden":
            return [replace(each, runs=each.runs[:1]) for each in found]
        case "toy":
            return [replace(found[0], runs=found[0].runs[:1])]
        case _:
            return found


def _traced(group: Group) -> Data:
    return {"label": group.label, "digests": [*group.digests], "runs": [run.id for run in group.runs if run.id]}


def _panels(group: Group, kind: Kind) -> list[Data]:
    """A panel for each run, named with its seed where the group has several."""
    single = len(group.runs) == 1
    return [
        {
            "label": group.label if single else f"{group.label}, seed {run.seed}",
            "digests": [*group.digests],
            "runs": [run.id] if run.id else [],
            "document": run.documents[material(kind)],
        }
        for run in group.runs
    ]


def _documents(group: Group, kind: Kind) -> list[Json]:
    return [run.documents[material(kind)] for run in group.runs]


def _curved(group: Group, metric: str) -> Data:
    """Only curves that the figure shows: those of this metric, and of its shares."""
    return _traced(group) | {
        "curves": [
            {
                name: points
                for name, points in run.curves.items()
                if name == metric or name.startswith(f"{metric}_share@")
            }
            for run in group.runs
        ]
    }


def _attacked(group: Group) -> Data:
    suspected = [found for run in group.runs if (found := _suspicion(run)) is not None]
    # Where one run tells nothing of it, the arm's FGSM isn't free of suspicion.
    known = len(suspected) == len(group.runs) or any(suspected)
    share = fmean(suspected) if suspected and known else None
    return _accuracies(group, "eps") | {"masking_suspected": share}


def _suspicion(run: Measured) -> float | None:
    found = run.results.get("masking_suspected", run.provenance.get("masking_suspected"))
    return None if found is None else float(found)


def _accuracies(group: Group, kind: Literal["eps", "rotation"]) -> Data:
    names = sorted({name for run in group.runs for name in run.results if belongs(name, kind)})
    clean = [1 - run.results["error"] for run in group.runs if "error" in run.results]
    means = {name: _mean(group, name) for name in names}
    return _traced(group) | {"accuracies": means, "clean": _summed(clean) if clean else None}


def _bought(group: Group, metric: str, by: str) -> Data:
    costs = [run.results[by] for run in group.runs if by in run.results]
    return _traced(group) | {"cost": fmean(costs) if costs else None, "value": _mean(group, metric)}


def _mean(group: Group, metric: str) -> Data:
    return _summed([run.results[metric] for run in group.runs if metric in run.results])


def _summed(values: Sequence[float]) -> Data:
    return {"mean": fmean(values), "std": stdev(values) if len(values) > 1 else None, "n": len(values)}


def _arms(comparison: Mapping[str, Any], names: Collection[str]) -> list[Mapping[str, Any]]:
    """The arms of these names, or all where none are given. Raises: FigureError where one isn't there, or many are."""
    known = [arm["name"] for arm in comparison["arms"]]
    unknown = [name for name in names if name not in known]
    if unknown:
        raise FigureError(f"The comparison has no arm {unknown[0]!r}; allowed: {', '.join(known)}")
    found = [arm for arm in comparison["arms"] if not names or arm["name"] in names]
    if len(found) > MOST:
        raise FigureError(f"A figure has room for {MOST} arms and the comparison has {len(found)}: name those to show")
    return found


def _by_seed(runs: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    return sorted(runs, key=lambda run: run["seed"])


def _arm(arm: Mapping[str, Any]) -> Data:
    runs: list[Json] = [run["id"] for run in arm["runs"] if run["state"] == "succeeded"]
    return {"label": arm["name"], "digests": [arm["digest"]], "runs": runs}


def _told(found: Mapping[str, Any] | None) -> Data:
    """An arm's mean in an analysis; nothing where the arm isn't measured."""
    return {"mean": None, "n": 0} if found is None else {name: found[name] for name in ("mean", "std", "n")}


def _merged(groups: Sequence[Group]) -> list[Group]:
    """The groups with those of one label as one, as where a method was run on several families of data."""
    found: dict[str, Group] = {}
    for group in groups:
        known = found.get(group.label, Group(group.label, (), ()))
        digests = [*known.digests, *(digest for digest in group.digests if digest not in known.digests)]
        found[group.label] = Group(group.label, digests, [*known.runs, *group.runs])
    return list(found.values())
