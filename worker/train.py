"""The trainer: a child process that runs one attempt and tells its supervisor about it.

Started as `python -m worker.train SOCKET`; on several devices torch.distributed.run starts one for each. It ends by
itself within a second when the supervisor goes away, and when the lease that it was told about lapses.
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
from typing import NoReturn

from mmix import run as laboratory
from mmix.errors import MmixError, StorageError
from mmix.spec.experiment import ExperimentSpec
from worker import narration, ranks, wire
from worker.delivery import STAGED, Delivery
from worker.ranks import Place, Presence

_TICK_SECONDS = 0.25
_MEMORY_WORDS = ("out of memory", "can't allocate memory")  # of a GPU's allocator, and of the processor's


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

    def say(self, line: str) -> None:
        """Prints a line to the log, where it can be read at once."""
        with contextlib.suppress(OSError):  # a disk that is full for a line of the log needn't end a training
            sys.stdout.write(f"{line}\n")
            sys.stdout.flush()

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


class Follower:
    """A rank's end of a socket that it doesn't have: rank 0 speaks for all."""

    stop_asked = False

    def tell(self, _: wire.Event) -> None:
        """Says nothing."""

    def say(self, _: str) -> None:
        """Prints nothing."""


def train(supervisor: Supervisor | Follower, order: wire.Begin) -> None:
    """Runs the attempt and tells the supervisor of each report; ends early where it is asked to."""
    staging = Path(order.scratch) / STAGED
    checkpoints = Delivery.to(order.checkpoints, staging=staging / "checkpoints")
    artifacts = Delivery.to(order.artifacts, staging=staging / "artifacts")
    places = laboratory.Places(
        data=Path(order.data),
        checkpoints=checkpoints.folder,
        artifacts=artifacts.folder,
        resume=tuple(laboratory.Vouched(place, sha256) for place, sha256 in order.resume.items()),
    )
    spec = ExperimentSpec.model_validate(order.spec)
    began_at = ready_at = looked_at = time.monotonic()
    epoch = 0
    with contextlib.closing(
        laboratory.run(spec, order.seed, places=places, device=order.device, threads=order.threads)
    ) as reports:
        for report in reports:
            match report:
                case laboratory.Started():
                    ready_at = looked_at = time.monotonic()
                    for line in narration.started(report, device=order.device, threads=order.threads):
                        supervisor.say(line)
                    supervisor.tell(wire.Started(pid=os.getpid(), first_epoch=report.resumed_epoch + 1))
                case laboratory.Trained():
                    epoch = report.epoch
                    took, looked_at = time.monotonic() - looked_at, time.monotonic()
                    left = took * (spec.training.epochs - epoch)
                    told = _trained(report, seconds_left=left, seconds=looked_at - ready_at)
                    supervisor.say(narration.trained(told, epochs=spec.training.epochs))
                    supervisor.tell(told)
                    continue  # nobody stops it between an epoch and its checkpoint
                case laboratory.Saved():
                    _deliver(supervisor, report, checkpoints)
                case laboratory.Unsaved():
                    supervisor.say(narration.unsaved(report.epoch, report.reason))
                case laboratory.Finished():
                    artifacts.bring(*report.artifacts)
                    ended_at = time.monotonic()
                    supervisor.say(narration.finished(report, seconds=ended_at - began_at))
                    supervisor.tell(wire.Finished(report.results, report.provenance, seconds=ended_at - ready_at))
                    return
            if supervisor.stop_asked:
                supervisor.say(f"stopped as asked, after epoch {epoch}")
                supervisor.tell(wire.Stopped(epoch=epoch))
                return


def _deliver(supervisor: Supervisor | Follower, report: laboratory.Saved, checkpoints: Delivery) -> None:
    """Brings a checkpoint to where it belongs and tells of it; one that can't be brought costs time at most."""
    size_bytes = report.path.stat().st_size
    try:
        checkpoints.bring(report.path.name, report.path.with_suffix(".json").name)  # what vouches comes last
    except StorageError as error:
        supervisor.say(narration.unsaved(report.epoch, str(error)))
        return
    place = f"{checkpoints.place}/{report.path.name}"
    supervisor.tell(wire.Saved(epoch=report.epoch, place=place, sha256=report.sha256, size_bytes=size_bytes))


def _trained(report: laboratory.Trained, *, seconds_left: float, seconds: float) -> wire.Trained:
    return wire.Trained(
        epoch=report.epoch,
        metrics=report.metrics,
        step=report.step,
        images_per_second=report.images_per_second,
        seconds_left=seconds_left,
        seconds=seconds,
    )


def _failure(error: Exception) -> wire.Failed:
    told = "".join(traceback.format_exception(error))
    if isinstance(error, MmixError):
        return wire.Failed(failure_class=error.failure_class, message=str(error), error=told)
    if isinstance(error, MemoryError) or any(word in str(error).lower() for word in _MEMORY_WORDS):
        advice = "The device ran out of memory: use a smaller batch_size or a smaller model"
        return wire.Failed(failure_class="out_of_memory", message=advice, error=told)
    return wire.Failed(failure_class="unforeseen", message=f"{type(error).__name__}: {error}", error=told)


def _lead(place: Place, path: str) -> None:
    """Trains as rank 0, or as the only one."""
    supervisor = Supervisor(path)
    order = supervisor.begin()
    if place.several:
        ranks.pass_on(place, order)
    try:
        train(supervisor, order)
    except Exception as error:  # whatever it is, its owner must read why the run failed
        failure = _reason(place, error)
        if failure is not None:
            supervisor.tell(failure)
        _end(place, wire.FAILED_EXIT)


def _follow(place: Place) -> None:
    """Trains as one of the other ranks."""
    ranks.watch_parent()
    try:
        train(Follower(), ranks.await_order(place))
    except Exception as error:
        traceback.print_exc()
        ranks.leave_word(place, _failure(error), patience_seconds=_patience_seconds(error))
        _end(place, wire.FAILED_EXIT)


def _reason(place: Place, error: Exception) -> wire.Failed | None:
    """Why the run failed; None where that can't be said, as another rank was killed."""
    failure = _failure(error)
    if not place.several or isinstance(error, MmixError):
        return failure
    traceback.print_exc()
    return ranks.leave_word(place, failure, patience_seconds=_patience_seconds(error))


def _patience_seconds(error: Exception) -> float:
    """How long to wait for news of another rank's end, from which this error may follow: a refusal of ours never does.

    Ranks fail within milliseconds of each other. An error of a connection waits longest, so that what broke it is told.
    """
    if isinstance(error, MmixError):
        return 0
    words = ("gloo", "nccl", "connection")
    return ranks.NEWS_SECONDS if any(word in str(error).lower() for word in words) else ranks.NEWS_SECONDS / 2


def _end(place: Place, code: int) -> NoReturn:
    """Ends this process; one of several without taking the process group down.

    Its destructor joins a thread that may wait for the interpreter's lock, which the destructor holds: 2 of 30 hung.
    """
    if place.several:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    sys.exit(code)


def main(path: str) -> None:
    """Connects to the supervisor's socket, trains, reports."""
    place = Place.of(path, os.environ)
    presence = Presence(place)
    if place.rank == 0:
        _lead(place, path)
    else:
        _follow(place)
    presence.leave()
    _end(place, 0)


if __name__ == "__main__":
    main(sys.argv[1])
