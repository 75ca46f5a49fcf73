"""From runs and comparisons to the data of figures."""

from typing import Any, get_args

import pytest

from mmix.errors import FigureError
from mmix.figures import KINDS, Kind, draw
from mmix.figures.materials import Artifact, Measured, material, possible
from mmix.figures.sources import Group, of_analyses, of_runs, wanted
from tests.figures.conftest import Data

RESULTS = {
    "error": 0.1,
    "nll": 0.3,
    "bayes_risk": 0.05,
    "excess_risk": 0.05,
    "forward_backward_passes": 1e6,
    "fgsm_accuracy@pixel:8/255": 0.4,
    "deform_accuracy@rotation:20": 0.5,
}


def runs(data_of: dict[str, Data], *, first: int, count: int, **results: float) -> list[Measured]:
    """Runs that have everything."""
    return [
        Measured(
            id=f"run-{seed}",
            seed=seed,
            results={**RESULTS, **results, "error": 0.1 + seed / 100},
            provenance={"masking_suspected": seed == first},
            curves=data_of["curves"]["arms"][0]["curves"][0],
            documents={
                "boundary": data_of["boundary"]["panels"][0]["document"],
                "hidden": data_of["hidden"]["panels"][0]["document"],
                "reliability": data_of["reliability"]["panels"][0]["documents"][0],
                "spectrum": data_of["spectra"]["arms"][0]["documents"][0],
                "realisations": data_of["excess_risk"]["arms"][0]["documents"][0],
            },
        )
        for seed in range(first, first + count)
    ]


def comparison(**states: str) -> Data:
    """A comparison as REST tells it: an arm each with two runs in this state."""
    return {
        "id": "comparison",
        "arms": [
            {
                "name": name,
                "digest": name * 8,
                "runs": [{"id": f"{name}-{seed}", "seed": seed, "state": state} for seed in (1, 0)],
            }
            for name, state in states.items()
        ],
    }


@pytest.mark.parametrize("kind", KINDS)
def test_runs_that_have_everything_make_every_kind(kind: Kind, data_of: dict[str, Data]) -> None:
    groups = [Group("a", ["x"], runs(data_of, first=0, count=2)), Group("b", ["y"], runs(data_of, first=2, count=1))]
    data = of_runs(kind, groups)
    parts: Any = data.get("arms", data.get("panels"))
    assert {each for part in parts for each in part["runs"]} == {"run-0", "run-1", "run-2"}
    assert draw(kind, data, format="svg").startswith(b"<?xml")


@pytest.mark.parametrize("kind", KINDS)
def test_runs_that_have_nothing_are_refused_with_what_they_lack(kind: Kind) -> None:
    with pytest.raises(FigureError, match=f"kind '{kind}' needs .*, and none of the runs has that"):
        of_runs(kind, [Group("a", [], [Measured(id="r", seed=0, results={"brier": 0.1})])])


def test_every_artifact_that_is_shown_is_one_that_runs_write(data_of: dict[str, Data]) -> None:
    everything = {f"{name}.json" for name in get_args(Artifact)}
    curves = data_of["curves"]["arms"][0]["curves"][0]
    assert possible(artifacts=everything, curves=curves, metrics=RESULTS) == list(KINDS)
    assert possible(artifacts=[], curves=["error"], metrics=["error", "nll"]) == ["curves", "error_nll"]
    assert possible(artifacts=["boundary.json"], curves=[], metrics=[]) == ["boundary"]
    assert {material(kind) for kind in KINDS} == {*get_args(Artifact), "curves", "results"}


def test_an_arm_is_the_mean_over_its_runs(data_of: dict[str, Data]) -> None:
    data: Any = of_runs("error_nll", [Group("a", ["x"], runs(data_of, first=0, count=2))])
    (arm,) = data["arms"]
    assert arm["error"] == {"mean": pytest.approx(0.105), "std": pytest.approx(0.00707, abs=1e-5), "n": 2}
    assert arm["nll"]["std"] == 0


@pytest.mark.parametrize(("told", "share"), [([True, False], 0.5), ([None, True], 1.0), ([None, False], None)])
def test_an_arm_is_free_of_suspicion_only_where_all_its_runs_were_looked_at(
    told: list[bool | None], share: float | None
) -> None:
    provenance: list[Data] = [{} if each is None else {"masking_suspected": each} for each in told]
    measured = [
        Measured(id=str(seed), seed=seed, results=RESULTS, provenance=each) for seed, each in enumerate(provenance)
    ]
    data: Any = of_runs("eps", [Group("a", [], measured)])
    assert data["arms"][0]["masking_suspected"] == share
    assert data["arms"][0]["clean"]["mean"] == pytest.approx(0.9)
    assert list(data["arms"][0]["accuracies"]) == ["fgsm_accuracy@pixel:8/255"]


def test_several_runs_of_one_spec_have_a_panel_each_with_their_seed(data_of: dict[str, Data]) -> None:
    data: Any = of_runs("boundary", [Group("a", [], runs(data_of, first=3, count=2))])
    assert [panel["label"] for panel in data["panels"]] == ["a, seed 3", "a, seed 4"]


def test_a_method_on_several_families_of_data_is_one_arm(data_of: dict[str, Data]) -> None:
    families = [Group("a", [digest], runs(data_of, first=0, count=1)) for digest in "xy"]
    data: Any = of_runs("excess_risk", families)
    (arm,) = data["arms"]
    assert (arm["digests"], len(arm["documents"])) == (["x", "y"], 2)


def test_one_network_stands_for_its_arm_where_one_is_shown() -> None:
    told = comparison(erm="succeeded", mixup="succeeded", cutmix="queued")
    assert [each.runs for each in wanted("boundary", told)] == [["erm-0"], ["mixup-0"]]
    assert [each.runs for each in wanted("toy", told)] == [["erm-0"]]
    assert [each.runs for each in wanted("spectra", told)] == [["erm-0", "erm-1"], ["mixup-0", "mixup-1"]]
    assert [each.label for each in wanted("spectra", told, names=["mixup"])] == ["mixup"]


def test_curves_are_shown_while_runs_go_on_and_results_once_they_have_succeeded() -> None:
    told = comparison(erm="running")
    assert [each.label for each in wanted("curves", told)] == ["erm"]
    with pytest.raises(FigureError, match="No run of the comparison has succeeded yet"):
        wanted("eps", told)


def test_an_arm_that_is_not_there_is_told_with_those_that_are() -> None:
    with pytest.raises(FigureError, match="no arm 'mixup'; allowed: erm, cutmix"):
        wanted("curves", comparison(erm="succeeded", cutmix="succeeded"), names=["mixup"])
    many = comparison(**{f"arm{place}": "succeeded" for place in range(13)})
    with pytest.raises(FigureError, match="room for 12 arms and the comparison has 13"):
        wanted("curves", many)


def test_analyses_make_error_against_nll_and_against_cost() -> None:
    told = comparison(erm="succeeded", mixup="succeeded", cutmix="failed")
    means = {"erm": 0.2, "mixup": 0.1}
    arms = [
        {"name": name, "n": 2, "mean": mean, "std": 0.01, "cost": {"device_seconds": 5.0}}
        for name, mean in means.items()
    ]
    analysis = {"arms": arms}
    data: Any = of_analyses("cost", told, {"nll": analysis}, by="device_seconds")
    assert (data["comparison"], data["metric"], data["by"]) == ("comparison", "nll", "device_seconds")
    assert [arm["cost"] for arm in data["arms"]] == [5.0, 5.0, None]
    assert data["arms"][0]["value"] == {"mean": 0.2, "std": 0.01, "n": 2}
    assert data["arms"][2]["runs"] == []
    both: Any = of_analyses("error_nll", told, {"error": analysis, "nll": None}, names=["mixup"])
    assert both["arms"][0]["error"]["mean"] == 0.1
    assert both["arms"][0]["nll"]["mean"] is None
    with pytest.raises(FigureError, match="No arm has both numbers"):
        draw("error_nll", both, format="svg")
