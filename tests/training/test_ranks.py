"""Two processes that train together against one that trains alone on the same shares."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from mmix.errors import SetupError
from mmix.models.build import build
from mmix.run import Places, run
from mmix.training.ranks import ALONE, Ranks, joined, own_device
from mmix.training.sync_norm import SyncBatchNorm, synchronise
from tests.training.rank_program import CASES, NORMS, RUN, asked, completed, normalised, trained

CPU = torch.device("cpu")

WIDE = 1e-9
"""float64 has 1e-16, sums of another order differ by a few of these, and eight steps with batch normalisation of seven
samples make that 4e-12 at most. A share weighed wrongly, or another layer, makes 1e-2."""

SINGLE = 1e-6
"""What is read of an epoch, and the memory of confidences, are float32, which has 6e-8."""

HALF = 2e-3
"""States in float16, which has 5e-4; gradients and weights are float32."""

WHOLE_RUN = 1e-5
"""A whole run is in float32, whose 6e-8 nine steps with batch normalisation enlarge to 2e-7 at this learning rate; an
image that changed sides would be 3e-3."""

Found = dict[str, Any]


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> tuple[Found, Found]:
    """What each of two ranks found."""
    folder = tmp_path_factory.mktemp("ranks")
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    ended = subprocess.run(
        [*command, "-m", "tests.training.rank_program", str(folder)], capture_output=True, text=True, timeout=170
    )
    assert ended.returncode == 0, ended.stderr
    first, second = (torch.load(folder / f"rank-{rank}.pt") for rank in range(2))
    return first, second


@pytest.mark.parametrize("name", CASES)
def test_two_ranks_equal_one_process_with_two_groups(name: str, found: tuple[Found, Found]) -> None:
    alone = trained(CASES[name], ALONE, groups=2)
    assert found[0][name].keys() == alone.keys()
    for key, tensor in alone.items():
        tolerance = HALF if name == "fp16" else WIDE if tensor.is_floating_point() and key != "epochs" else SINGLE
        torch.testing.assert_close(found[0][name][key], tensor, rtol=0, atol=tolerance)


@pytest.mark.parametrize("name", [*CASES, "without synchronisation"])
def test_ranks_agree_to_the_last_bit(name: str, found: tuple[Found, Found]) -> None:
    torch.testing.assert_close(found[0][name], found[1][name], rtol=0, atol=0)


def test_without_synchronisation_each_rank_normalises_its_share(found: tuple[Found, Found]) -> None:
    alone = trained(CASES["manifold mixup, resnet"], ALONE, groups=2)
    norm = "model.network.stages.0.1.norm1.running_mean"
    assert not torch.allclose(found[0]["without synchronisation"][norm], alone[norm], atol=1e-3)


@pytest.mark.parametrize("how", ["", "compiled "])
@pytest.mark.parametrize("name", NORMS)
def test_synchronised_normalisation_is_that_of_the_whole_batch(name: str, how: str, found: tuple[Found, Found]) -> None:
    whole = normalised(name, ALONE)
    first, second = (rank[f"{how}norm {name}"] for rank in found)
    of_shares = {key for key in whole if key.startswith(("y", "gradient"))}
    together = {key: torch.cat([first[key], second[key]]) if key in of_shares else first[key] for key in whole}
    # float64: rounding alone. float32 at a mean of 1000: 6e-5 is the last digit of what goes in.
    tolerance = {torch.float64: 1e-12, torch.float32: 2e-3}[NORMS[name][2]]
    torch.testing.assert_close(together, whole, rtol=tolerance, atol=tolerance)


def test_a_whole_run_on_two_ranks_ends_as_that_of_one_process(found: tuple[Found, Found], tmp_path: Path) -> None:
    alone = completed(asked(groups=2), tmp_path)
    ranked = found[0]["run"]
    assert ranked["kinds"] == alone["kinds"]
    assert (ranked["devices"], alone["devices"]) == (2, 1)
    torch.testing.assert_close(_numbers(ranked), _numbers(alone), rtol=0, atol=WHOLE_RUN)


def test_the_first_rank_alone_saves_and_ends_with_results(found: tuple[Found, Found]) -> None:
    assert found[0]["run"]["kinds"] == ["Started", *["Trained", "Saved"] * 3, "Finished"]
    assert found[1]["run"]["kinds"] == ["Started", *["Trained"] * 3]
    assert found[1]["run"]["metrics"] == found[0]["run"]["metrics"]


@pytest.mark.parametrize(("name", "whole"), [("synchronised", "run"), ("of its own", "run of its own")])
def test_interrupted_ranks_end_as_uninterrupted_ones(name: str, whole: str, found: tuple[Found, Found]) -> None:
    begun, resumed = found[0][f"begun {name}"], found[0][f"resumed {name}"]
    assert [*begun["metrics"], *resumed["metrics"]] == found[0][whole]["metrics"]
    assert resumed["results"] == found[0][whole]["results"]


def test_what_the_first_rank_knows_is_told_to_all(found: tuple[Found, Found]) -> None:
    assert [each["told"] for each in found] == ["what rank 0 knows"] * 2


def test_a_run_that_is_started_alone_says_how_to_start_ranks(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match=r"training\.devices is 2, but one process was started: `mmix train`"):
        next(run(asked(devices=2), 0, places=Places(data=tmp_path)))


def test_more_processes_than_devices_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(SetupError, match=r"training\.devices is 1, but 2 processes were started"), joined(1, CPU):
        pass


def test_one_cuda_device_is_not_enough_for_two_ranks() -> None:
    assert own_device(CPU, 2) == CPU
    assert own_device(torch.device("cuda:1"), 1) == torch.device("cuda:1")
    with pytest.raises(SetupError, match="ask for 'cuda'"):
        own_device(torch.device("cuda:0"), 2)


def test_synchronising_keeps_names_tensors_and_hooks() -> None:
    model = build(RUN.model, shape=(1, 8, 8), classes=5, seed=0)
    before = model.state_dict(keep_vars=True)
    norms = [module for module in model.modules() if isinstance(module, nn.BatchNorm2d)]
    called: list[Tensor] = []
    norms[0].register_forward_hook(lambda module, inputs, output: called.append(output))
    synchronise(model, Ranks(1, 2))
    model.eval()(torch.zeros(2, 1, 8, 8))
    assert all(isinstance(norm, SyncBatchNorm) for norm in norms)
    assert {name: id(tensor) for name, tensor in model.state_dict(keep_vars=True).items()} == {
        name: id(tensor) for name, tensor in before.items()
    }
    assert len(called) == 1


def _numbers(found: Found) -> list[Any]:
    return [found["metrics"], found["results"]]
