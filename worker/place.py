"""Where a worker works: its name, its devices, its folders and its slots."""

import os
import socket
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from mmix.settings import Settings


def gpus() -> int:
    """How many NVIDIA GPUs this process may use, without importing torch."""
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES")
    if chosen is not None:
        return len([name for name in chosen.split(",") if name.strip() not in {"", "-1"}])
    return len(list(Path("/proc/driver/nvidia/gpus").glob("*")))


@dataclass(frozen=True)
class Workplace:
    """One worker's machine, as its supervisors see it."""

    worker_id: UUID
    host: str
    gpus: int
    slots: int
    threads: int
    data: Path
    artifacts: Path

    @property
    def queues(self) -> tuple[str, ...]:
        """The device kinds whose runs this worker takes."""
        return ("any", "cuda", "cpu") if self.gpus else ("any", "cpu")

    def device(self, wanted: str) -> str:
        """The kind of device that a run which asks for `wanted` gets here."""
        return "cuda" if wanted != "cpu" and self.gpus else "cpu"


def workplace(settings: Settings, *, worker_id: UUID) -> Workplace:
    """This machine: a slot per GPU; without one, a slot per core up to four, and the cores shared out."""
    found = gpus()
    slots = settings.slots or found or min(settings.cores, 4)
    return Workplace(
        worker_id=worker_id,
        host=socket.gethostname(),
        gpus=found,
        slots=slots,
        threads=settings.threads or max(1, settings.cores // slots),
        data=settings.data_folder.resolve(),
        artifacts=settings.artifacts_folder.resolve(),
    )
