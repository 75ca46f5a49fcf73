"""The trainer: a child process that runs one attempt and tells its supervisor about it.

Started as `python -m worker.train SOCKET`. It ends by itself within a second when the supervisor goes away, and when
the lease that it was told about lapses.
"""

import contextlib
import os
import select
import socket
import sys
import threading
import time
import traceback
from pathlib import Path

from mmix import run as laboratory
from mmix.errors import MmixError
from mmix.spec.experiment import ExperimentSpec
from worker import wire

_TICK_SECONDS = 0.25


class Supervisor:
    """The trainer's end of the socket, watched by a thread that ends the process when the supervisor is gone."""

    def __init__(self, path: str) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.connect(path)
        self._lines = wire.Lines(self._socket)
        self._deadline = float("inf")
        self.stop_asked = False

    def begin(self) -> wire.Begin:
        """Waits for the order, then watches for what follows it."""
        while True:
            messages = self._lines.read()
            for position, message in enumerate(messages):
                if isinstance(message, wire.Begin):
                    self._deadline = message.deadline
                    self._heed(messages[position + 1 :])
                    threading.Thread(target=self._watch, daemon=True).start()
                    return message
            if self._lines.ended:
                os._exit(wire.WATCHDOG_EXIT)

    def tell(self, event: wire.Event) -> None:
        """Sends an event upward."""
        try:
            self._socket.sendall(wire.encode(event))
        except OSError:
            os._exit(wire.WATCHDOG_EXIT)

    def _watch(self) -> None:
        while not self._lines.ended and time.monotonic() < self._deadline:
            # select, as a timeout on the socket itself would also cut `sendall` short
            if select.select([self._socket], [], [], _TICK_SECONDS)[0]:
                self._heed(self._lines.read())
        os._exit(wire.WATCHDOG_EXIT)

    def _heed(self, messages: list[wire.Downward | wire.Event]) -> None:
        for message in messages:
            if isinstance(message, wire.Deadline):
                self._deadline = message.deadline
            if isinstance(message, wire.Stop):
                self.stop_asked = True


def train(supervisor: Supervisor, order: wire.Begin) -> None:
    """Runs the attempt and tells the supervisor of each report; ends early where it is asked to."""
    places = laboratory.Places(
        data=Path(order.data),
        checkpoints=Path(order.checkpoints),
        artifacts=Path(order.artifacts),
        resume=tuple(Path(folder) for folder in order.resume),
    )
    spec = ExperimentSpec.model_validate(order.spec)
    epoch = 0
    with contextlib.closing(
        laboratory.run(spec, order.seed, places=places, device=order.device, threads=order.threads)
    ) as reports:
        for report in reports:
            match report:
                case laboratory.Started():
                    supervisor.tell(wire.Started(pid=os.getpid(), first_epoch=report.resumed_epoch + 1))
                case laboratory.Trained():
                    epoch = report.epoch
                    supervisor.tell(wire.Trained(epoch=epoch, metrics=report.metrics))
                case laboratory.Finished():
                    supervisor.tell(wire.Finished(results=report.results, provenance=report.provenance))
                    return
            if supervisor.stop_asked:
                supervisor.tell(wire.Stopped(epoch=epoch))
                return


def _failure(error: Exception) -> wire.Failed:
    told = "".join(traceback.format_exception(error))
    if isinstance(error, MmixError):
        return wire.Failed(failure_class=error.failure_class, message=str(error), error=told)
    if isinstance(error, MemoryError) or "out of memory" in str(error).lower():
        advice = "The device ran out of memory: use a smaller batch_size or a smaller model"
        return wire.Failed(failure_class="out_of_memory", message=advice, error=told)
    return wire.Failed(failure_class="error", message=f"{type(error).__name__}: {error}", error=told)


def main() -> None:
    """Connects, trains, reports."""
    supervisor = Supervisor(sys.argv[1])
    order = supervisor.begin()
    try:
        train(supervisor, order)
    except Exception as error:  # whatever it is, its owner must read why the run failed
        supervisor.tell(_failure(error))
        sys.exit(wire.FAILED_EXIT)


if __name__ == "__main__":
    main()
