"""How a claim is decided: which studies can answer, and what their answers come to."""

from collections.abc import Sequence
from typing import assert_never

from mmix.comparison.holm import adjust
from mmix.comparison.sample import LEVEL
from mmix.suites import rules
from mmix.suites.beside import Cell
from mmix.suites.decisions import (
    Better,
    Changed,
    Correlated,
    Decision,
    Growing,
    Lower,
    Measurable,
    NotRun,
    Published,
    Rising,
    Studies,
    Within,
)
from mmix.suites.evidence import Evidence, Measured
from mmix.suites.words import Verdict, number, together


def decide(decision: Decision, evidence: Evidence, cells: Sequence[Cell]) -> Verdict:
    """What the evidence says. cells: measured values beside published ones."""
    match decision:
        case NotRun():
            return Verdict("not run", decision.why)
        case Published():
            return _published(decision, cells)
        case _:
            return _measured(decision, evidence)


def arms_and_metrics(decision: Measurable) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What a study must have to decide it."""
    match decision:
        case Better():
            return tuple(dict.fromkeys(name for pair in decision.pairs for name in pair)), decision.metrics
        case Rising():
            return decision.arms, (decision.metric,)
        case Within():
            return (decision.arm,), (decision.metric,)
        case Changed():
            return (decision.arm, decision.other), (decision.metric,)
        case Correlated():
            return (decision.arm,), (decision.metric, decision.other)
        case Growing():
            return (decision.arm, decision.other), (decision.metric, decision.by)
        case Lower():
            return (decision.arm,), (decision.metric, decision.than)
        case _:
            assert_never(decision)


def _measured(decision: Measurable, evidence: Evidence) -> Verdict:
    arms, metrics = arms_and_metrics(decision)
    able = _able(evidence, decision.studies, arms, metrics)
    ready = [name for name, study in able.items() if study.complete]
    if not ready:
        return Verdict("not run", _lack(able, decision.studies, arms, metrics))
    found = {name: _answer(decision, evidence, name) for name in ready}
    word = together([verdict.word for verdict in found.values()])
    return Verdict(word, "; ".join(f"{name}: {verdict.evidence}" for name, verdict in found.items()))


def _answer(decision: Measurable, evidence: Evidence, study: str) -> Verdict:
    match decision:
        case Better():
            return rules.better(decision, evidence, study)
        case Rising():
            return rules.rising(decision, evidence, study)
        case Within():
            return rules.within(decision, evidence, study)
        case Changed():
            return rules.changed(decision, evidence, study)
        case Correlated():
            return rules.correlated(decision, evidence, study)
        case Growing():
            return rules.growing(decision, evidence, study)
        case Lower():
            return rules.lower(decision, evidence, study)
        case _:
            assert_never(decision)


def _able(evidence: Evidence, wanted: Studies, arms: Sequence[str], metrics: Sequence[str]) -> dict[str, Measured]:
    """The studies that are asked; a pool only by its name, as it would count its studies twice."""
    return {
        name: study
        for name, study in evidence.studies.items()
        if (name in wanted if wanted else study.comparison is not None)
        and all(study.has(arms, metric) for metric in metrics)
    }


def _lack(able: dict[str, Measured], wanted: Studies, arms: Sequence[str], metrics: Sequence[str]) -> str:
    if able:
        ended, runs = sum(study.ended for study in able.values()), sum(study.runs for study in able.values())
        return f"{ended} of {runs} runs have ended"
    where = f"in {' and '.join(wanted)}" if wanted else "at this budget"
    return f"nothing was measured {where} of {', '.join(arms)} by {' and '.join(metrics)}"


def _published(decision: Published, cells: Sequence[Cell]) -> Verdict:
    """By Holm over those figures of the table that were measured as they were published."""
    chosen = [cell for cell in cells if cell.is_of(decision.source, decision.locator, decision.metric)]
    alike = [cell for cell in chosen if cell.is_as_published]
    if not alike:
        return Verdict("not run", _unlike(chosen))
    ps = adjust([cell.deviation.p if cell.deviation else None for cell in alike])
    line = ", ".join(_cell(cell) for cell in alike)
    if any(p is not None and p <= LEVEL for p in ps):
        return Verdict("not reproduced", line)
    return Verdict("not resolved" if any(p is None for p in ps) else "reproduced", line)


def _unlike(chosen: Sequence[Cell]) -> str:
    if not chosen:
        return "none of its figures was measured at this budget"
    named = dict.fromkeys(difference for cell in chosen for difference in cell.contradictions)
    return f"no figure was measured in its setting and at its budget: {'; '.join([*named][:4])}"


def _cell(cell: Cell) -> str:
    z = "" if cell.deviation is None else f", z {cell.deviation.z:+.2f}"
    return f"{cell.arm} in {cell.study} {number(cell.measured.mean)}, published {number(cell.record.value)}{z}"
