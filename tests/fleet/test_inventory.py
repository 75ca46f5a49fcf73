"""A worker's devices are found without torch, and named so that CUDA finds the same ones."""

from pathlib import Path
from uuid import uuid4

import pytest

from mmix.settings import Settings
from mmix.store.devices import Listed
from worker.inventory import gpus, inventory, visible
from worker.place import workplace

UUIDS = ["GPU-aaaa-1", "GPU-aabb-2", "GPU-cccc-3"]
INFORMATION = "Model: \t\t NVIDIA H100\nIRQ:   \t\t 0\nGPU UUID: \t {uuid}\nVideo BIOS: \t 96.00\nBus Type: \t PCIe\n"


def _driver(folder: Path, *uuids: str) -> Path:
    for number, uuid in enumerate(uuids):
        (folder / f"0000:{number:02x}:00.0").mkdir()
        (folder / f"0000:{number:02x}:00.0" / "information").write_text(INFORMATION.format(uuid=uuid))
    return folder


def test_gpus_are_read_from_the_driver_in_the_order_of_the_bus(tmp_path: Path) -> None:
    assert gpus(_driver(tmp_path, *UUIDS)) == UUIDS


@pytest.mark.parametrize(
    ("smi", "found"),
    [("GPU-aaaa-1\nGPU-bbbb-2\n", ["GPU-aaaa-1", "GPU-bbbb-2"]), ("No devices were found\n", [])],
)
def test_gpus_that_the_driver_has_no_uuid_for_are_asked_of_nvidia_smi(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, smi: str, found: list[str]
) -> None:
    program = tmp_path / "nvidia-smi"
    program.write_text(f"#!/bin/sh\nprintf '{smi}'\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert gpus(_driver(tmp_path, "GPU-????????-????")) == found


@pytest.mark.parametrize(
    ("chosen", "seen"),
    [
        (None, UUIDS),
        ("", []),
        ("-1", []),
        ("1", UUIDS[1:2]),
        ("2,0", [UUIDS[2], UUIDS[0]]),
        ("GPU-cccc-3, GPU-aaaa-1", [UUIDS[2], UUIDS[0]]),
        ("GPU-aab", UUIDS[1:2]),
        ("0,7,1", UUIDS[:1]),
        ("0,0", UUIDS[:1]),
        ("MIG-9,0", ["MIG-9", UUIDS[0]]),
    ],
)
def test_cuda_visible_devices_narrows_them_as_in_cuda(chosen: str | None, seen: list[str]) -> None:
    assert visible(UUIDS, chosen) == seen


def test_without_a_gpu_each_slot_is_a_device_and_has_a_queue_per_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    place = workplace(Settings(slots=2, threads=3), worker_id=uuid4())
    assert place.devices == (Listed("cpu-0", "cpu"), Listed("cpu-1", "cpu"))
    assert place.queues == ["runs.any.1", "runs.any.2", "runs.cpu.1", "runs.cpu.2"]
    assert (place.threads, place.device("any"), place.environment(wanted="any", uuids=["cpu-0"])) == (3, "cpu", {})


def test_fake_gpus_are_shown_to_trainers_but_not_trained_on() -> None:
    settings = Settings(fake_gpus=2, slots=7)
    place = workplace(settings, worker_id=uuid4())
    assert inventory(settings) == (Listed("GPU-fake-0", "cuda"), Listed("GPU-fake-1", "cuda"))
    assert place.kinds == ("any", "cuda", "cpu")
    assert place.device("cuda") == "cpu"
    assert place.environment(wanted="any", uuids=["GPU-fake-1"]) == {"CUDA_VISIBLE_DEVICES": "GPU-fake-1"}
