"""The devices of this machine, found without torch: its NVIDIA GPUs, or the slots of its processor."""

import os
import shutil
import subprocess
from pathlib import Path

from mmix.settings import Settings
from mmix.store.devices import Listed

_DRIVER = Path("/proc/driver/nvidia/gpus")
_SMI_SECONDS = 30


def inventory(settings: Settings) -> tuple[Listed, ...]:
    """Every GPU that CUDA_VISIBLE_DEVICES lets this process see; without one, a slot per core up to four.

    `settings.fake_gpus` takes the place of the GPUs, `settings.slots` of the number of cores.
    """
    if settings.fake_gpus:
        return tuple(Listed(f"GPU-fake-{number}", "cuda") for number in range(settings.fake_gpus))
    found = visible(gpus(_DRIVER), os.environ.get("CUDA_VISIBLE_DEVICES"))
    if found:
        return tuple(Listed(uuid, "cuda") for uuid in found)
    return tuple(Listed(f"cpu-{number}", "cpu") for number in range(settings.slots or min(settings.cores, 4)))


def gpus(driver: Path) -> list[str]:
    """The UUIDs of all GPUs, in the order of their places on the bus; none where there is no driver."""
    described = [path.read_text() for path in sorted(driver.glob("*/information"))]
    found = [_uuid(text) for text in described]
    if found and not any("?" in uuid for uuid in found):
        return found
    return _asked()  # a GPU that nobody has used since the start of the machine has question marks for a UUID


def _uuid(information: str) -> str:
    fields = dict(line.partition(":")[::2] for line in information.splitlines())
    return fields.get("GPU UUID", "?").strip()


def _asked() -> list[str]:
    program = shutil.which("nvidia-smi")
    if program is None:
        return []
    command = [program, "--query-gpu=uuid", "--format=csv,noheader"]
    answer = subprocess.run(command, capture_output=True, text=True, timeout=_SMI_SECONDS, check=False)
    return [line.strip() for line in answer.stdout.splitlines() if line.startswith("GPU-")]


def visible(uuids: list[str], chosen: str | None) -> list[str]:
    """Those of the GPUs that `chosen` names, by number, by UUID or by a UUID's beginning, in its order; all for None.

    As in CUDA, names after the first that fits no GPU don't count. Differs: numbers follow the order on the bus, also
    where CUDA_DEVICE_ORDER isn't PCI_BUS_ID and a machine has GPUs of several models.
    """
    if chosen is None:
        return uuids
    found: list[str] = []
    for name in (part.strip() for part in chosen.split(",")):
        uuid = _named(uuids, name)
        if uuid is None or uuid in found:
            break
        found.append(uuid)
    return found


def _named(uuids: list[str], name: str) -> str | None:
    if name.isdecimal():
        return uuids[int(name)] if int(name) < len(uuids) else None
    if name.startswith("MIG-"):
        return name
    return next((uuid for uuid in uuids if name and uuid.startswith(name)), None)
