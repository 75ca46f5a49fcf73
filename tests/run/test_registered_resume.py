"""A run goes on from checkpoints that somebody has registered, and bears a disk that is full."""

import resource
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mmix.errors import StorageError
from mmix.run import Finished, Places, Report, Saved, Started, Unsaved, Vouched, run
from mmix.spec.experiment import ExperimentSpec

SPEC = ExperimentSpec.model_validate(
    {
        "model": {"kind": "mlp", "hidden": [16, 16]},
        "data": {"kind": "digits", "train_size": 100},
        "mixing": {"kind": "manifold_mixup", "alpha": 2.0, "layers": [0, 1]},
        "training": {"epochs": 4, "batch_size": 25},
        "evaluation": {"attacks": [], "artifacts": ["logits"]},
    }
)
FAMILY = ExperimentSpec.model_validate(
    {
        "model": {"kind": "mlp", "hidden": [8, 8]},
        "data": {"kind": "spirals", "realisations": 2},
        "mixing": {"kind": "erm"},
        "training": {"epochs": 4, "batch_size": 50},
        "evaluation": {"attacks": []},
    }
)
WHAT = pytest.mark.parametrize("spec", [SPEC, FAMILY], ids=["one network", "many networks"])


def reports(spec: ExperimentSpec, folder: Path, *, resume: tuple[Vouched, ...] = ()) -> list[Report]:
    return list(run(spec, 0, places=Places(data=folder, checkpoints=folder, resume=resume), threads=1))


def saved(found: list[Report]) -> list[Saved]:
    return [report for report in found if isinstance(report, Saved)]


def vouched(found: list[Report]) -> tuple[Vouched, ...]:
    """All that were saved, the newest first."""
    return tuple(Vouched(str(each.path), each.sha256) for each in reversed(saved(found)))


def started(found: list[Report]) -> Started:
    assert isinstance(found[0], Started)
    return found[0]


def results(found: list[Report]) -> dict[str, dict[str, float]]:
    assert isinstance(found[-1], Finished)
    return found[-1].results


@WHAT
def test_a_run_goes_on_from_what_is_registered_and_from_nothing_else(spec: ExperimentSpec, tmp_path: Path) -> None:
    whole = reports(spec, tmp_path)
    assert len(saved(whole)) == 4  # whoever registers them deletes them, too
    assert started(reports(spec, tmp_path)).resumed_epoch == 0
    third, second = vouched(whole)[1:3]
    for places in ((third, second), (Vouched(Path(third.place).as_uri(), third.sha256),)):
        resumed = reports(spec, tmp_path / "elsewhere", resume=places)
        assert started(resumed) == Started(resumed_epoch=3, epochs=4, skipped=())
        assert results(resumed) == results(whole)


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-7])


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 4
    path.write_bytes(content)


@pytest.mark.parametrize("suffix", [".safetensors", ".json"])
@pytest.mark.parametrize("harm", [truncate, flip, Path.unlink])
def test_one_that_does_not_verify_gives_way_to_the_one_before(
    harm: Callable[[Path], None], suffix: str, tmp_path: Path
) -> None:
    whole = reports(SPEC, tmp_path)
    third, second, _ = vouched(whole)[1:]
    harm(Path(third.place).with_suffix(suffix))
    resumed = reports(SPEC, tmp_path / "elsewhere", resume=(third, second))
    assert started(resumed).resumed_epoch == 2
    assert Path(third.place).stem in started(resumed).skipped[0]
    assert results(resumed) == results(whole)


def test_a_sound_checkpoint_that_is_not_the_registered_one_is_passed_over(tmp_path: Path) -> None:
    third, second = vouched(reports(SPEC, tmp_path))[1:3]
    resumed = reports(SPEC, tmp_path / "elsewhere", resume=(Vouched(third.place, "0" * 64), second))
    assert started(resumed).resumed_epoch == 2
    assert "not the checkpoint that was registered" in started(resumed).skipped[0]


@WHAT
def test_with_none_that_can_be_read_a_run_begins_anew(spec: ExperimentSpec, tmp_path: Path) -> None:
    lost = (Vouched("nosuchprotocol://bucket/epoch-000002.safetensors", "0" * 64), Vouched("/nowhere", "0" * 64))
    fresh = reports(spec, tmp_path, resume=lost)
    assert started(fresh).resumed_epoch == 0
    assert len(started(fresh).skipped) == 2
    assert results(fresh) == results(reports(spec, tmp_path / "elsewhere"))


@pytest.fixture
def full_disk() -> Iterator[Callable[[bool], None]]:
    """Makes the disk full for files above 2 KB, and roomy again."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)

    def switch(full: bool) -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (2048 if full else soft, hard))

    yield switch
    switch(False)


@WHAT
def test_a_full_disk_costs_a_checkpoint_and_not_the_training(
    spec: ExperimentSpec, full_disk: Callable[[bool], None], tmp_path: Path
) -> None:
    going = run(spec, 0, places=Places(data=tmp_path, checkpoints=tmp_path / "full", resume=()), threads=1)
    full_disk(True)
    lost = next(report for report in going if isinstance(report, Unsaved))
    full_disk(False)
    assert (lost.epoch, list((tmp_path / "full").iterdir())) == (1, [])
    assert "File too large" in lost.reason
    rest = list(going)
    assert [each.epoch for each in saved(rest)] == [2, 3, 4]
    assert results(rest) == results(reports(spec, tmp_path / "roomy"))


def test_a_full_disk_for_artifacts_is_a_failure_with_a_name(full_disk: Callable[[bool], None], tmp_path: Path) -> None:
    going = run(SPEC, 0, places=Places(data=tmp_path, artifacts=tmp_path), threads=1)
    next(going)
    full_disk(True)
    with pytest.raises(StorageError, match=r"logits\.safetensors can't be written .*make room") as refused:
        list(going)
    assert refused.value.failure_class == "storage"


def test_hundreds_of_epochs_of_a_step_each_share_checkpoints(tmp_path: Path) -> None:
    parts = {
        "data": {"kind": "digits", "labels_per_class": 1},
        "training": {"epochs": 602, "batch_size": 10},
        "evaluation": {"attacks": [], "test_every": 602},
    }
    wanted = ExperimentSpec.model_validate({**SPEC.model_dump(), **parts})
    whole = reports(wanted, tmp_path / "whole")
    assert [each.epoch for each in saved(whole)] == [*range(3, 601, 3), 602]
    resumed = reports(wanted, tmp_path / "resumed", resume=vouched(whole)[1:2])
    assert started(resumed).resumed_epoch == 600
    assert [each.sha256 for each in saved(resumed)] == [saved(whole)[-1].sha256]
