"""The toy family: does mixing help, at which depth, and what tells how hard a problem is?

    python -m benchmarks.toy_study --data-sets 80 --out toy-family.jsonl [--report docs/toy-family.md]

Trains ERM and Manifold Mixup at each depth on many Gaussian-mixture problems, with one seed per data set shared by all
arms, so that every comparison is paired. Finished runs stand in the file and are not trained again.
"""

import argparse
import json
import math
import os
import platform
import statistics
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from datetime import date
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.progress import track
from scipy import stats

from mmix import run as laboratory
from mmix.spec.experiment import ExperimentSpec

HIDDEN = [512, 512, 512]  # ConfMix manuscript, section 3.2: ReLU(2, 512, 512, 512, K)
ARMS: dict[str, dict[str, Any]] = {
    "erm": {"kind": "erm"},
    **{
        f"layer {layer}": {"kind": "manifold_mixup", "alpha": 0.5, "layers": [layer], "sharing": "sample"}
        for layer in range(len(HIDDEN) + 1)
    },
}
CLASSES = (2, 3, 4, 5)
TEST_SIZE = 3000
LEVEL = 0.05
METRICS = ("error", "excess_risk", "relative_excess_risk", "bayes_risk", "mmlb", "normalised_mmlb")

Row = dict[str, Any]


def spec(arm: str, *, data_set: int) -> ExperimentSpec:
    """One arm on one data set; the optimiser and the ranges of means and sigma are ours, the manuscript has none."""
    return ExperimentSpec.model_validate(
        {
            "model": {"kind": "mlp", "hidden": HIDDEN},
            "data": {
                "kind": "gaussian_mixture",
                "classes": CLASSES[data_set % len(CLASSES)],
                "seed": data_set,
                "test_size": TEST_SIZE,
            },
            "mixing": ARMS[arm],
            "training": {"epochs": 20, "batch_size": 50, "optimiser": {"kind": "adam"}},
            "evaluation": {"attacks": []},
        }
    )


def train(arm: str, data_set: int) -> Row:
    """The last epoch's metrics of one arm on one data set."""
    asked = spec(arm, data_set=data_set)
    *_, finished = laboratory.run(asked, data_set, places=laboratory.Places(data=Path("nowhere")), threads=1)
    assert isinstance(finished, laboratory.Finished)
    found = {name: finished.results["last"].get(name) for name in METRICS}
    return {"arm": arm, "data_set": data_set, "classes": CLASSES[data_set % len(CLASSES)], **found}


def rows_of(path: Path) -> list[Row]:
    """The finished rows; a last line cut off by an interruption is passed over."""
    rows = []
    for line in path.read_text().splitlines() if path.exists() else []:
        try:
            rows.append(json.loads(line))
        except json.JSONDecodeError:
            continue
    return rows


def study(data_sets: int, path: Path) -> list[Row]:
    """Trains what the file doesn't have yet, two at a time on two cores."""
    done = {(row["arm"], row["data_set"]) for row in rows_of(path)}
    wanted = [(arm, data_set) for data_set in range(data_sets) for arm in ARMS if (arm, data_set) not in done]
    with ProcessPoolExecutor(os.cpu_count(), mp_context=get_context("spawn")) as pool, path.open("a") as file:
        tasks = [pool.submit(train, *task) for task in wanted]
        for task in track(as_completed(tasks), total=len(tasks), description="training"):
            file.write(json.dumps(task.result()) + "\n")
            file.flush()
    return [row for row in rows_of(path) if row["data_set"] < data_sets]


def report(rows: list[Row]) -> str:
    """The study in words and tables."""
    return "\n".join(_report(rows))


def _report(rows: list[Row]) -> Iterator[str]:
    by_arm = {arm: sorted((row for row in rows if row["arm"] == arm), key=lambda row: row["data_set"]) for arm in ARMS}
    n = len(by_arm["erm"])
    yield from (
        "# The toy family",
        "",
        f"{n} Gaussian-mixture problems ({n // len(CLASSES)} for each K of {', '.join(map(str, CLASSES))}), "
        "five components a class, means uniform in ±4, sigma uniform in 0.3 to 1; 1,000 training points, "
        f"{TEST_SIZE:,} test points on which all risks are estimated. A ReLU network (2, 512, 512, 512, K), 20 epochs, "
        "batch 50, Adam at "
        "1e-3, cross-entropy; alpha 0.5, a lambda for each sample. One seed per data set, shared by all arms: same "
        "initial weights, same order.",
        "",
        f"`python -m benchmarks.toy_study --data-sets {n} --out toy-family.jsonl --report docs/toy-family.md` on "
        f"{os.cpu_count()} CPU cores, Python {platform.python_version()}, torch {torch.__version__.split('+')[0]}, "
        f"{date.today():%B %Y}.",
        "",
        "Excess risk is error minus the Bayes rule's error on the same points, in points (0.01); relative is that over "
        "the Bayes risk, of the means. ± is the standard error of the mean over data sets.",
        "",
        "| arm | excess risk [points] | relative [%] | against ERM, paired [points] | t | p |",
        "|---|---|---|---|---|---|",
    )
    erm = np.array([row["excess_risk"] for row in by_arm["erm"]])
    bayes = np.array([row["bayes_risk"] for row in by_arm["erm"]])
    for arm, of_arm in by_arm.items():
        yield _line(arm, np.array([row["excess_risk"] for row in of_arm]), erm=erm, bayes=bayes)
    yield from ("", _verdict(by_arm), "")
    yield from _difficulty(by_arm["erm"], bayes)
    yield from _depths(by_arm)


def _verdict(by_arm: dict[str, list[Row]]) -> str:
    """Which depth is worst, and which arms a paired t test at 5 % (Holm over the depths) tells from ERM."""
    excess = {arm: np.array([row["excess_risk"] for row in of_arm]) for arm, of_arm in by_arm.items()}
    mixed = [arm for arm in excess if arm != "erm"]
    tests = {arm: stats.ttest_rel(excess[arm], excess["erm"]) for arm in mixed}
    told: dict[str, list[str]] = {"worse": [], "better": []}
    for rank, arm in enumerate(sorted(mixed, key=lambda arm: float(tests[arm].pvalue))):
        if tests[arm].pvalue * (len(mixed) - rank) > LEVEL:
            break
        told["worse" if tests[arm].statistic > 0 else "better"].append(arm)
    worst = max(mixed, key=lambda arm: float(excess[arm].mean()))
    words = "; ".join(f"{word} than ERM: {', '.join(sorted(arms)) or 'none'}" for word, arms in told.items())
    return f"The worst depth is {worst}. At 5 %, Holm over the depths, {words}; the others are not resolved."


def _line(arm: str, excess: np.ndarray, *, erm: np.ndarray, bayes: np.ndarray) -> str:
    cells = [f"{_mean(100 * excess)}", f"{100 * excess.mean() / bayes.mean():.1f}"]
    if arm == "erm":
        return f"| {arm} | {' | '.join(cells)} | | | |"
    test = stats.ttest_rel(excess, erm)
    cells += [_mean(100 * (excess - erm), sign="+"), f"{test.statistic:.1f}", f"{test.pvalue:.2g}"]
    return f"| {arm} | {' | '.join(cells)} |"


def _mean(values: np.ndarray, *, sign: str = "") -> str:
    return f"{values.mean():{sign}.2f} ± {values.std(ddof=1) / math.sqrt(len(values)):.2f}"


def _difficulty(rows: list[Row], bayes: np.ndarray) -> Iterator[str]:
    normalised = np.array([row["normalised_mmlb"] for row in rows])
    classes = np.array([row["classes"] for row in rows])
    squares = 1 / classes  # the sum of squared class shares, as classes are equally likely
    whole = stats.pearsonr(normalised, bayes)
    low, high = whole.confidence_interval()
    printed = stats.pearsonr(normalised * squares * squares, bayes).statistic
    within = [stats.pearsonr(normalised[classes == k], bayes[classes == k]).statistic for k in CLASSES]
    yield from (
        "## How hard a problem is",
        "",
        f"The normalised MMLB (R_low divided by the sum of squared class shares) correlates with the Bayes risk at "
        f"{whole.statistic:+.2f} (95 % interval {low:+.2f} to {high:+.2f}); within one K at "
        f"{', '.join(f'{value:+.2f}' for value in within)} (mean {statistics.mean(within):+.2f}). The manuscript's "
        f"formula as printed multiplies instead of dividing; so computed, the correlation is {printed:+.2f}.",
        "",
    )


def _depths(by_arm: dict[str, list[Row]]) -> Iterator[str]:
    quartiles = np.array_split(np.argsort([row["normalised_mmlb"] for row in by_arm["erm"]], kind="stable"), 4)
    yield from (
        "## Depth against difficulty",
        "",
        "Paired difference of excess risk against ERM, in points, by quartile of the normalised MMLB (easiest first).",
        "",
        "| arm | quartile 1 | quartile 2 | quartile 3 | quartile 4 |",
        "|---|---|---|---|---|",
    )
    erm = np.array([row["excess_risk"] for row in by_arm["erm"]])
    for arm in list(by_arm)[1:]:
        gained = np.array([row["excess_risk"] for row in by_arm[arm]]) - erm
        yield f"| {arm} | {' | '.join(_mean(100 * gained[chosen], sign='+') for chosen in quartiles)} |"
    yield ""


def main() -> None:
    """Trains, then reports."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-sets", type=int, default=80)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--report", type=Path)
    asked = parser.parse_args()
    text = report(study(asked.data_sets, asked.out))
    if asked.report is not None:
        asked.report.write_text(text)
    print(text)


if __name__ == "__main__":
    main()
