"""Where a worker works: its name, its devices, its folders and its threads."""

import socket
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from mmix.broker import queue_name
from mmix.settings import Settings
from mmix.store.devices import Listed
from worker.inventory import inventory

MOST_DEVICES = 64  # what a spec may ask for


@dataclass(frozen=True)
class Workplace:
    """One worker's machine, as its supervisors see it; `threads` are those of one device.

    scratch: a folder of this machine. artifacts: a folder or a URL that all workers share.
    """

    worker_id: UUID
    host: str
    devices: tuple[Listed, ...]
    fake: bool
    threads: int
    data: Path
    scratch: Path
    artifacts: str

    @property
    def gpus(self) -> bool:
        """Whether the devices are GPUs; a worker has devices of one kind."""
        return self.devices[0].kind == "cuda"

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds that a run which comes here may ask for."""
        return ("any", "cuda", "cpu") if self.gpus else ("any", "cpu")

    @property
    def queues(self) -> list[str]:
        """The Celery queues whose runs this worker can hold: each kind, and each number of devices."""
        counts = range(1, min(len(self.devices), MOST_DEVICES) + 1)
        return [queue_name(kind, devices=count) for kind in self.kinds for count in counts]

    def device(self, wanted: str) -> str:
        """The kind of device that a run which asks for `wanted` gets here."""
        return "cuda" if wanted != "cpu" and self.gpus and not self.fake else "cpu"

    def environment(self, *, wanted: str, uuids: Sequence[str]) -> dict[str, str]:
        """What a trainer must be told that may use these devices and no others."""
        if not self.gpus:
            return {}
        return {"CUDA_VISIBLE_DEVICES": ",".join(uuids) if wanted != "cpu" else ""}


def workplace(settings: Settings, *, worker_id: UUID) -> Workplace:
    """This machine, with the cores shared out among its devices."""
    devices = inventory(settings)
    return Workplace(
        worker_id=worker_id,
        host=socket.gethostname(),
        devices=devices,
        fake=settings.fake_gpus is not None,
        threads=settings.threads or max(1, settings.cores // len(devices)),
        data=settings.data_folder.resolve(),
        scratch=settings.scratch_folder.resolve(),
        artifacts=settings.artifacts_place,
    )
