"""A suite from its first comparison to its table, through real processes."""

from dataclasses import replace

from mmix.cli.suite_run import finish, start
from mmix.client import Client
from mmix.suites.catalogue import find
from mmix.suites.study import Study
from mmix.suites.suite import Suite

TINY = Study(
    name="mlp",
    base={"model": {"kind": "mlp", "hidden": [16]}, "data": {"kind": "digits"}, "training": {"epochs": 1}},
    arms={"erm": {"mixing": {"kind": "erm"}}, "cutmix": {"mixing": {"kind": "cutmix"}}},
    metrics=("error",),
    seeds=(0, 1),
)
SUITE: Suite = replace(find("digits"), budgets={**find("digits").budgets, "quick": (TINY,)})


def test_a_suite_runs_to_its_table_and_a_rerun_doubles_nothing(client: Client) -> None:
    made = start(client, SUITE, "quick", [TINY], retry=False)
    assert finish(client, made)
    found = client.suite_table("digits", budget="quick")
    told = [(row["arm"], row["n"]) for row in found["rows"] if row["metric"] == "error"]
    assert told == [("erm", 2), ("cutmix", 2)]
    assert {row["metric"] for row in found["rows"]} >= {"error", "nll", "forward_backward_passes", "device_seconds"}
    assert start(client, SUITE, "quick", [TINY], retry=True) == made
    assert finish(client, made)
