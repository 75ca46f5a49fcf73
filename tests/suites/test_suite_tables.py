"""The document of a suite's table, and how it is written."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from mmix.suites.beside import cells
from mmix.suites.catalogue import find
from mmix.suites.display import heading, shown, spread
from mmix.suites.evidence import Evidence, Measured
from mmix.suites.latex import escape, latex
from mmix.suites.markdown import markdown
from mmix.suites.study import Budget
from mmix.suites.table import table, with_pools
from tests.suites import made_up

SUITE = find("verma-cifar10")
DRAWN = np.random.default_rng(0).normal(size=made_up.UNITS)
NOISE = (DRAWN - DRAWN.mean()) / DRAWN.std(ddof=1)
LEVELS = {"erm": 0.0483, "input": 0.0382, "manifold": 0.0295}


def _measured(budget: Budget, *, study: str = "preact18") -> Measured:
    asked = next(each for each in SUITE.studies(budget) if each.name == study)
    found = made_up.measured(
        {"error": {arm: level + 0.0005 * np.roll(NOISE, len(arm)) for arm, level in LEVELS.items()}}
    )
    return replace(found, specs=asked.specs())


def _of_table_1(found: dict[str, Any], arm: str) -> dict[str, Any]:
    (row,) = [row for row in found["rows"] if row["arm"] == arm]
    (own,) = [each for each in row["published"] if each["locator"].startswith("Table 1") and each["origin"] == "own"]
    published: dict[str, Any] = own
    return published


def test_a_published_figure_stands_beside_the_measured_one_with_its_z() -> None:
    found = table(SUITE, "paper", {"preact18": _measured("paper")})
    own = _of_table_1(found, "manifold")
    assert (own["value"], own["spread"], own["n"], own["selection"]) == (0.0295, 0.00046, 5, "best_on_test")
    assert (own["same_setting"], own["same_budget"], own["measured_selection"]) == (True, True, "last")
    assert abs(own["z"]) < 1


def test_a_short_run_keeps_the_published_figure_and_says_what_differs() -> None:
    found = table(SUITE, "quick", {"preact18": _measured("quick")})
    own = _of_table_1(found, "manifold")
    assert (own["same_setting"], own["same_budget"]) == (False, False)
    assert "epochs: 1200 there, 10 here" in own["differences"]


def test_no_z_is_told_where_the_data_differ() -> None:
    suite = find("verma-layers")
    (study,) = suite.studies("quick")
    found = replace(made_up.measured({"error": {"erm": 0.05 + 0.001 * NOISE}}), specs=study.specs())
    told = [cell for cell in cells(suite, "quick", Evidence({"digits": found})) if cell.record.source == "verma2019"]
    assert told
    assert {cell.deviation for cell in told} == {None}


def test_the_published_selection_is_compared_where_it_was_measured() -> None:
    measured = _measured("paper")
    arms = tuple(
        replace(arm, selections={"best_on_test": {unit: value - 0.001 for unit, value in arm.values.items()}})
        for arm in measured.arms["error"]
    )
    found = table(SUITE, "paper", {"preact18": replace(measured, arms={"error": arms})})
    own = _of_table_1(found, "manifold")
    assert own["measured_selection"] == "best_on_test"
    assert own["measured"] == pytest.approx(0.0285, abs=2e-4)


def test_a_pool_has_all_units_of_its_studies_each_once() -> None:
    suite = find("confmix-toy")
    parts = {
        study.name: made_up.measured({"excess_risk": {"erm": NOISE + k}, "bayes_risk": {"erm": np.full(40, 0.5)}})
        for k, study in enumerate(suite.studies("quick")[:4])
    }
    pool = with_pools(suite, parts)["all"]
    (excess,), (relative,) = pool.arms["excess_risk"], pool.arms["relative_excess_risk"]
    assert len(excess.values) == 160
    assert np.mean(list(relative.values.values())) == pytest.approx(2 * np.mean(list(excess.values.values())))
    assert "all" not in with_pools(suite, {"k2": parts["k2"]})


def test_a_study_under_way_has_rows_but_no_verdict() -> None:
    found = table(SUITE, "quick", {"preact18": replace(_measured("quick"), ended=7, runs=9)})
    assert [row["difference"]["verdict"] for row in found["rows"][1:]] == ["pending", "pending"]
    assert (found["studies"][0]["ended"], found["studies"][0]["runs"]) == (7, 9)
    assert {claim["verdict"] for claim in found["claims"]} == {"not run"}


def test_markdown_has_the_rows_the_published_figures_and_the_claims() -> None:
    text = markdown(table(SUITE, "paper", {"preact18": _measured("paper")}))
    assert "## verma-cifar10, paper budget" in text
    assert "| preact18 | manifold | error [%] | 2.95 ± 0.05 | 40 |" in text
    assert "2.95 ± 0.05: Verma et al." in text
    assert "| **reproduced** | preact18: error of manifold - erm" in text
    assert "- preact34: 0 of 15 runs have ended" in text


def test_latex_sets_published_figures_in_italics_and_escapes_what_it_must() -> None:
    text = latex(table(SUITE, "paper", {"preact18": _measured("paper")}))
    assert text.count(r"\toprule") == text.count(r"\bottomrule") == 1
    assert r"\textit{2.95 $\pm$ 0.05}" in text
    assert {line.count(" & ") for line in text.splitlines() if line.endswith(r"\\")} == {8}
    assert escape("50 % of a_b & c") == r"50 \% of a\_b \& c"


@pytest.mark.parametrize(
    ("metric", "mean", "std", "told"),
    [
        ("error", 0.0483, 0.00066, "4.83 ± 0.07"),
        ("nll", 1.1893, 0.0021, "1.189 ± 0.002"),
        ("device_seconds", 123.4, 2.0, "123.4 ± 2.0"),
        ("forward_backward_passes", 57480.0, 0.0, "57480 ± 0"),
        ("error", 0.5, None, "50.00"),
        ("nll", None, None, "-"),
    ],
)
def test_values_are_told_with_the_digits_that_they_deserve(
    metric: str, mean: float | None, std: float | None, told: str
) -> None:
    assert spread(metric, mean, std) == told


def test_fractions_are_shown_in_per_cent_and_nothing_else_is() -> None:
    assert (heading("fgsm_accuracy@pixel:8/255"), shown("fgsm_accuracy@pixel:8/255", 0.5)) == (
        "fgsm_accuracy@pixel:8/255 [%]",
        "50.00",
    )
    assert (heading("mixed_kl"), shown("mixed_kl", 0.5)) == ("mixed_kl [nats]", "0.5")
    assert (heading("input_gradient_norm"), shown("input_gradient_norm", 0.5)) == ("input_gradient_norm", "0.5")
