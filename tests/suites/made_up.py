"""Made-up evidence: for any decision, values that say yes and values that say no."""

from collections.abc import Mapping
from typing import assert_never

import numpy as np

from mmix.comparison import Arm
from mmix.spec.evaluation import higher_is_better
from mmix.suites.beside import Cell, cells
from mmix.suites.catalogue import find
from mmix.suites.claims import Claim
from mmix.suites.decisions import (
    Better,
    Changed,
    Correlated,
    Growing,
    Lower,
    Measurable,
    NotRun,
    Published,
    Rising,
    Within,
)
from mmix.suites.evidence import Evidence, Measured
from mmix.suites.table import with_pools

UNITS = 40
Columns = Mapping[str, Mapping[str, np.ndarray]]
"""By metric and arm."""


def evidence(decision: Measurable, *, yes: bool, ended: int = UNITS) -> Evidence:
    """Evidence in which the first study that the decision asks says yes, or no."""
    name = decision.studies[0] if decision.studies else "study"
    return Evidence({name: measured(_columns(decision, yes=yes), ended=ended)})


def measured(columns: Columns, *, baseline: str | None = None, ended: int = UNITS) -> Measured:
    """A comparison of so many units with these values."""
    arms = {metric: tuple(_arm(name, values) for name, values in found.items()) for metric, found in columns.items()}
    first = next(iter(next(iter(columns.values()))))
    return Measured(arms, {}, baseline or first, None, ended=ended, runs=UNITS, comparison="made-up")


def published(claim: Claim, decision: Published, *, yes: bool) -> tuple[Evidence, tuple[Cell, ...]]:
    """Evidence at the paper's budget in which each figure of the table is what was published, or something else."""
    suite = find(claim.suite)
    level = {study.name: dict.fromkeys(study.arms, 0.3) for study in suite.studies("paper")}
    found = cells(suite, "paper", _paper(claim, decision, level))
    for cell in found:
        if cell.is_of(decision.source, decision.locator, decision.metric):
            for study in suite.pools.get(cell.study, (cell.study,)):
                value = cell.record.value if cell.record.baseline is None else 0.3 + cell.record.value
                level[study][cell.arm] = value + (0.0 if yes else 0.2)
    made = _paper(claim, decision, level)
    return made, cells(suite, "paper", made)


def _paper(claim: Claim, decision: Published, level: Mapping[str, Mapping[str, float]]) -> Evidence:
    suite, draw = find(claim.suite), np.random.default_rng(1)
    studies = {}
    for study in suite.studies("paper"):
        columns = {
            metric: {arm: _of_paper(metric, level[study.name][arm], draw) for arm in study.arms}
            for metric in study.metrics
            if metric in (decision.metric, "excess_risk", "bayes_risk")
        }
        found = measured(columns, baseline=study.baseline)
        studies[study.name] = Measured(
            found.arms, study.specs(), study.baseline, None, ended=UNITS, runs=UNITS, comparison="made-up"
        )
    return Evidence(with_pools(suite, studies))


def _of_paper(metric: str, level: float, draw: np.random.Generator) -> np.ndarray:
    return np.ones(UNITS) if metric == "bayes_risk" else level + _noise(draw, 0.02)


def _columns(decision: Measurable, *, yes: bool) -> Columns:
    draw = np.random.default_rng(0)
    sign = 1.0 if yes else -1.0
    match decision:
        case Better():
            return {metric: _ranked(decision.pairs, _better(metric) * sign, draw) for metric in decision.metrics}
        case Rising():
            pairs = tuple((after, before) for before, after in zip(decision.arms, decision.arms[1:], strict=False))
            return {decision.metric: _ranked(pairs, _better(decision.metric) * sign, draw)}
        case Within():
            level = _level(decision.low, decision.high, yes=yes)
            return {decision.metric: {decision.arm: level * (1 + _noise(draw, 0.01))}}
        case Changed():
            share = _share(decision.low, decision.high, yes=yes)
            other = 1 + _noise(draw, 0.01)
            return {decision.metric: {decision.other: other, decision.arm: other + share + _noise(draw, 0.01)}}
        case Correlated():
            x = draw.normal(size=UNITS)
            y = x + _noise(draw, 0.1) if yes else _noise(draw, 1.0)
            return {decision.metric: {decision.arm: x}, decision.other: {decision.arm: y}}
        case Growing():
            by = np.linspace(0, 1, UNITS)
            gain = sign * by * _better(decision.metric) + _noise(draw, 0.01)
            columns = {decision.other: np.ones(UNITS), decision.arm: 1 + gain}
            return {decision.metric: columns, decision.by: {decision.other: by, decision.arm: by}}
        case Lower():
            than = 0.2 + _noise(draw, 0.01)
            accuracy = (1 - than if decision.than == "error" else than) - sign * 0.1 + _noise(draw, 0.01)
            return {decision.than: {decision.arm: than}, decision.metric: {decision.arm: accuracy}}
        case _:
            assert_never(decision)


def _ranked(pairs: tuple[tuple[str, str], ...], direction: float, draw: np.random.Generator) -> dict[str, np.ndarray]:
    """Arms of which the first of each pair stands above the second."""
    ranks: dict[str, int] = {}
    for _ in pairs:
        for above, below in pairs:
            ranks[above] = max(ranks.get(above, 0), ranks.setdefault(below, 0) + 1)
    return {arm: 0.5 + direction * 0.05 * rank + _noise(draw, 0.005) for arm, rank in ranks.items()}


def _level(low: float, high: float, *, yes: bool) -> float:
    if low == float("-inf"):
        return high / 2 if yes else high * 2
    if high == float("inf"):
        return low * 1.05 if yes else low / 2
    return (low + high) / 2 if yes else high * 2


def _share(low: float, high: float, *, yes: bool) -> float:
    if low == float("-inf"):
        return high - 0.1 if yes else high + 0.4
    if high == float("inf"):
        return low + 0.1 if yes else low - 0.4
    return (low + high) / 2 if yes else high + 0.4


def _better(metric: str) -> float:
    return 1.0 if higher_is_better(metric) else -1.0


def _noise(draw: np.random.Generator, size: float) -> np.ndarray:
    return size * draw.normal(size=UNITS)


def _arm(name: str, values: np.ndarray) -> Arm:
    return Arm(name, {(seed,): float(value) for seed, value in enumerate(values)})


UNDECIDED = (Published, NotRun)
