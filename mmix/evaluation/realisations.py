"""The results of many networks of one run: the row of means, and each network's own values."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch

from mmix.evaluation.documents import Json, numbers, write_document
from mmix.spec.evaluation import PASSES

Results = Mapping[str, Mapping[str, float]]
"""By selection and metric, of one network."""

UNITS = {
    "data_seed": "seed",
    "seed": "seed",
    "nll": "nats",
    "nll_tempered": "nats",
    "brier": "squared distance",
    PASSES: "images",
    "*": "fraction",
}
RATIO = "relative_excess_risk"


def means(results: Sequence[Results]) -> dict[str, dict[str, float]]:
    """The mean over the networks of each metric in each selection.

    The relative excess risk is the ratio of means, mean excess risk over mean Bayes risk: the mean of ratios is ruled
    by the few data sets on which the Bayes rule hardly errs, and there are some on which it never does.
    results: of each network, all with the same selections.
    """
    return {selection: _means([each[selection] for each in results]) for selection in results[0]}


def write(folder: Path, results: Sequence[Results], *, data_seeds: Sequence[int], seeds: Sequence[int]) -> Path:
    """Writes `realisations.json`, whole or not at all: lists whose place i is realisation i; its path.

    null stands where a realisation doesn't have a metric: the relative excess risk where the Bayes rule never errs.

    Raises: OSError where it can't be written.
    """
    selections: dict[str, Json] = {
        selection: {name: _column(name, [each[selection] for each in results]) for name in _names(results, selection)}
        for selection in results[0]
    }
    body: dict[str, Json] = {"data_seed": [*data_seeds], "seed": [*seeds], "results": selections}
    return write_document(folder, "realisations", UNITS, {"realisations": len(results), **body})


def _means(found: Sequence[Mapping[str, float]]) -> dict[str, float]:
    shared = [name for name in found[0] if name != RATIO]
    mean = {name: torch.tensor([each[name] for each in found], dtype=torch.float64).mean().item() for name in shared}
    if mean.get("bayes_risk", 0) > 0:
        mean[RATIO] = mean["excess_risk"] / mean["bayes_risk"]
    return mean


def _names(results: Sequence[Results], selection: str) -> list[str]:
    return list(dict.fromkeys(name for each in results for name in each[selection]))


def _column(name: str, found: Sequence[Mapping[str, float]]) -> list[Json]:
    known = iter(numbers(torch.tensor([each[name] for each in found if name in each], dtype=torch.float64)))
    return [next(known) if name in each else None for each in found]
