"""The rules by which one study answers; the caller sees to it that it has the arms and metrics."""

from collections.abc import Iterator, Mapping

import numpy as np

from mmix.comparison import Unit
from mmix.comparison.holm import adjust
from mmix.comparison.sample import LEVEL, Interval, Sample, summarise
from mmix.spec.evaluation import higher_is_better
from mmix.suites.decisions import Better, Changed, Correlated, Growing, Lower, Rising, Within
from mmix.suites.evidence import Evidence
from mmix.suites.unpaired import correlation, welch
from mmix.suites.words import Verdict, Word, bounds, lies, number, together, told

FEWEST = 8
"""Units below which quarters of them, and correlations, say nothing."""
_WORDS: Mapping[str, Word] = {"better": "reproduced", "worse": "not reproduced"}


def better(decision: Better, evidence: Evidence, study: str) -> Verdict:
    """Each pair by the Holm-adjusted paired t, over all that are compared with the same arm."""
    found = [each for metric in decision.metrics for each in _pairs(decision, evidence, study, metric)]
    word = together([word for word, _ in found], needed=decision.needed)
    return Verdict(word, ", ".join(line for _, line in found))


def rising(decision: Rising, evidence: Evidence, study: str) -> Verdict:
    """The ends by the paired t, the steps by Holm over them."""
    first, last = decision.arms[0], decision.arms[-1]
    (whole,) = evidence.analysis(study, decision.metric, baseline=first, against=[last]).differences
    steps = [
        evidence.analysis(study, decision.metric, baseline=before, against=[after]).differences[0]
        for before, after in zip(decision.arms, decision.arms[1:], strict=False)
    ]
    adjusted = adjust([step.p for step in steps])
    against = [
        step.arm
        for step, p in zip(steps, adjusted, strict=True)
        if p is not None and p <= LEVEL and step.verdict == "worse"
    ]
    means = [f"{arm} {number(_sample(evidence, study, decision.metric, arm).mean)}" for arm in decision.arms]
    line = f"{decision.metric} {', '.join(means)}; {last} - {first} {told(whole.mean, whole.interval)}"
    line += f", {whole.verdict} (n {whole.n})" + (f"; worse than before it: {', '.join(against)}" if against else "")
    word = "not reproduced" if against else _WORDS.get(whole.verdict, "not resolved")
    return Verdict(word, line)


def within(decision: Within, evidence: Evidence, study: str) -> Verdict:
    """By the 95 % interval of the mean."""
    found = _sample(evidence, study, decision.metric, decision.arm)
    return Verdict(
        lies(_span(found), low=decision.low, high=decision.high),
        f"{decision.metric} of {decision.arm} {told(found.mean, found.interval)} (n {found.n}), "
        f"wanted {bounds(decision.low, decision.high)}",
    )


def changed(decision: Changed, evidence: Evidence, study: str) -> Verdict:
    """By the 95 % interval of the paired difference, over the other arm's mean."""
    arm, other = (evidence.values(study, decision.metric, name) for name in (decision.arm, decision.other))
    units = sorted(arm.keys() & other.keys())
    size = abs(summarise(other[unit] for unit in units).mean or 0.0)
    if size == 0:
        return Verdict("not resolved", f"{decision.metric} of {decision.other} has no size to compare with")
    found = summarise((arm[unit] - other[unit]) / size for unit in units)
    return Verdict(
        lies(_span(found), low=decision.low, high=decision.high),
        f"{decision.metric} of {decision.arm} changed by the share {told(found.mean, found.interval)} of "
        f"{decision.other}'s (n {found.n}), wanted {bounds(decision.low, decision.high)}",
    )


def correlated(decision: Correlated, evidence: Evidence, study: str) -> Verdict:
    """By the 95 % interval of Pearson's coefficient."""
    one, other = (evidence.values(study, metric, decision.arm) for metric in (decision.metric, decision.other))
    units = sorted(one.keys() & other.keys())
    if len(units) < FEWEST:
        return Verdict("not resolved", f"{len(units)} units are too few for a correlation")
    r, span = correlation([one[unit] for unit in units], [other[unit] for unit in units])
    return Verdict(
        lies(span, low=decision.at_least, high=1.0),
        f"{decision.metric} and {decision.other} correlate at {told(r, span)} "
        f"(n {len(units)}), wanted at least {decision.at_least:g}",
    )


def growing(decision: Growing, evidence: Evidence, study: str) -> Verdict:
    """By the 95 % interval (Welch) of what the outer quarters gain."""
    arm, other = (evidence.values(study, decision.metric, name) for name in (decision.arm, decision.other))
    by = evidence.values(study, decision.by, decision.other)
    units = sorted(arm.keys() & other.keys() & by.keys(), key=lambda unit: (by[unit], unit))
    if len(units) < FEWEST:
        return Verdict("not resolved", f"{len(units)} units are too few for quarters")
    sign = 1 if higher_is_better(decision.metric) else -1
    gains = np.array([sign * (arm[unit] - other[unit]) for unit in units])
    quarter = len(units) // 4
    low, high = gains[:quarter], gains[-quarter:]
    span = welch(high, low)
    return Verdict(
        lies(span, low=0.0, high=float("inf")),
        f"{decision.metric}: {decision.arm} gains {low.mean():.4g} over {decision.other} in the lower quarter by "
        f"{decision.by}, {high.mean():.4g} in the upper one; the difference is "
        f"{told(float(high.mean() - low.mean()), span)} (n {quarter} each)",
    )


def lower(decision: Lower, evidence: Evidence, study: str) -> Verdict:
    """By the 95 % interval of the paired difference."""
    one, other = (_accuracies(evidence, study, metric, decision.arm) for metric in (decision.metric, decision.than))
    found = summarise(other[unit] - one[unit] for unit in sorted(one.keys() & other.keys()))
    return Verdict(
        lies(_span(found), low=0.0, high=float("inf")),
        f"{decision.arm} loses {told(found.mean, found.interval)} of its accuracy by {decision.metric} (n {found.n})",
    )


def _pairs(decision: Better, evidence: Evidence, study: str, metric: str) -> Iterator[tuple[Word, str]]:
    for other in dict.fromkeys(other for _, other in decision.pairs):
        arms = [arm for arm, against in decision.pairs if against == other]
        for each in evidence.analysis(study, metric, baseline=other, against=arms).differences:
            line = f"{metric} of {each.arm} - {other} {told(each.mean, each.interval)}, {each.verdict} (n {each.n})"
            yield _WORDS.get(each.verdict, "not resolved"), line


def _sample(evidence: Evidence, study: str, metric: str, arm: str) -> Sample:
    return summarise(evidence.values(study, metric, arm).values())


def _span(sample: Sample) -> Interval | None:
    """The interval; that of equal values is their value."""
    if sample.interval is None and sample.mean is not None and sample.std == 0:
        return sample.mean, sample.mean
    return sample.interval


def _accuracies(evidence: Evidence, study: str, metric: str, arm: str) -> dict[Unit, float]:
    values = evidence.values(study, metric, arm)
    return {unit: 1 - value if metric == "error" else value for unit, value in values.items()}
