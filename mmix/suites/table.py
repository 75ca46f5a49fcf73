"""A suite's table as JSON data: what was measured, what was published beside it, and what becomes of the claims."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict

from mmix.comparison import Analysis
from mmix.comparison.description import Description
from mmix.comparison.difference import Difference
from mmix.suites.beside import Cell, cells
from mmix.suites.claims import DOCUMENTS, Claim, of_suite
from mmix.suites.evidence import Evidence, Measured, pooled
from mmix.suites.judge import decide
from mmix.suites.study import Budget, Json, Study
from mmix.suites.suite import Suite


def table(suite: Suite, budget: Budget, measured: Mapping[str, Measured]) -> Json:
    """The table of the studies that were measured, by their names. Values are in the metrics' units, as stored."""
    evidence = Evidence(with_pools(suite, measured))
    beside = cells(suite, budget, evidence)
    return {
        "suite": suite.name,
        "version": suite.version,
        "summary": suite.summary,
        "source": suite.source,
        "budget": budget,
        "studies": [_study(study, measured.get(study.name)) for study in suite.studies(budget)],
        "rows": [row for name in evidence.studies for row in _rows(evidence, name, beside)],
        "claims": [claimed(claim, evidence, beside) for claim in of_suite(suite.name)],
    }


def with_pools(suite: Suite, measured: Mapping[str, Measured]) -> dict[str, Measured]:
    """The studies, and each pool of which all studies are there."""
    pools = {
        name: pooled([measured[study] for study in studies])
        for name, studies in suite.pools.items()
        if all(study in measured for study in studies)
    }
    return {**measured, **pools}


def claimed(claim: Claim, evidence: Evidence, beside: Sequence[Cell]) -> Json:
    """A claim with its verdict."""
    verdict = decide(claim.decision, evidence, beside)
    return {
        "id": claim.id,
        "says": claim.says,
        "places": [{"document": DOCUMENTS[document], "place": place} for document, place in claim.places],
        "verdict": verdict.word,
        "evidence": verdict.evidence,
    }


def _study(study: Study, measured: Measured | None) -> Json:
    return {
        "study": study.name,
        "preset": study.preset,
        "metric": study.metric,
        "baseline": study.baseline,
        "comparison": measured.comparison if measured else None,
        "runs": measured.runs if measured else len(study.arms) * len(study.seeds),
        "ended": measured.ended if measured else 0,
        "failed": measured.failed if measured else 0,
    }


def _rows(evidence: Evidence, name: str, beside: Sequence[Cell]) -> Iterator[Json]:
    study = evidence.studies[name]
    for metric, arms in study.arms.items():
        known = [arm.name for arm in arms if arm.values]
        if not known:
            continue
        baseline = study.baseline if study.baseline in known else known[0]
        others = [arm for arm in known if arm != baseline]
        analysis = evidence.analysis(name, metric, baseline=baseline, against=others)
        for described in analysis.arms:
            difference = _difference(analysis, described.name) if baseline == study.baseline else None
            yield {
                "study": name,
                **_described(described, metric),
                "baseline": described.name == study.baseline,
                "difference": difference,
                "published": [
                    _published(cell)
                    for cell in beside
                    if (cell.study, cell.arm, cell.record.metric) == (name, described.name, metric)
                ],
            }


def _described(found: Description, metric: str) -> Json:
    return {
        "arm": found.name,
        "metric": metric,
        "n": found.n,
        "mean": found.mean,
        "std": found.std,
        "interval": None if found.interval is None else list(found.interval),
    }


def _difference(analysis: Analysis, arm: str) -> Json | None:
    found = next((each for each in analysis.differences if each.arm == arm), None)
    return None if found is None else _told(found)


def _told(found: Difference) -> Json:
    return {
        "n": found.n,
        "mean": found.mean,
        "interval": None if found.interval is None else list(found.interval),
        "p_holm": found.p_holm,
        "verdict": found.verdict,
    }


def _published(cell: Cell) -> Json:
    record = cell.record
    deviation = None if cell.deviation is None else asdict(cell.deviation)
    return {
        "id": record.id,
        "source": record.citation,
        "locator": record.locator,
        "value": record.value,
        "difference_from": record.baseline,
        "spread": record.spread,
        "n": record.n,
        "selection": record.selection,
        "origin": record.origin,
        "verified": record.verified,
        "suspicious": record.suspicious,
        "measured": cell.measured.mean,
        "measured_selection": cell.selection,
        "z": None if deviation is None else deviation["z"],
        "p": None if deviation is None else deviation["p"],
        "same_setting": cell.likeness.same_setting,
        "same_budget": cell.likeness.same_budget,
        "differences": list(cell.likeness.differences),
    }
