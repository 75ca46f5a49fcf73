"""This machine's processes, told apart from whoever had their number before; without /proc there are none to find."""

import os
import signal
from collections import defaultdict
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")
_DEAD = ("Z", "X")
_STATE, _PARENT, _STARTED = 0, 1, 19  # of what follows the name in /proc/<pid>/stat: its fields 3, 4 and 22


@dataclass(frozen=True)
class Process:
    """A process by its number and its start, in clock ticks since the machine's own."""

    pid: int
    started: int

    def __str__(self) -> str:
        return f"{self.pid} {self.started}"

    @property
    def lives(self) -> bool:
        """Whether it has not ended: its number may be another's by now."""
        return find(self.pid) == self


def find(pid: int) -> Process | None:
    """The living process of this number, if there is one."""
    fields = _fields(pid)
    return None if fields is None or fields[_STATE] in _DEAD else Process(pid, int(fields[_STARTED]))


def read(told: str) -> Process | None:
    """The process that was written down; None where the words are no process's."""
    match told.split():
        case [pid, started] if pid.isdecimal() and started.isdecimal():
            return Process(int(pid), int(started))
    return None


def end(process: Process) -> None:
    """Kills a process, its group and whatever they have started, if it still lives.

    Raises: PermissionError where it is another user's.
    """
    doomed = [process, *_descendants(process.pid)]  # while the parents live, which tell whose they are
    if process.lives:
        with suppress(ProcessLookupError):  # it leads no group
            os.killpg(process.pid, signal.SIGKILL)
    for each in doomed:
        if each.lives:
            with suppress(ProcessLookupError):
                os.kill(each.pid, signal.SIGKILL)


def _descendants(pid: int) -> list[Process]:
    children = defaultdict(list)
    for each, parent in _parents():
        children[parent].append(each)
    found: list[Process] = []
    unseen = [pid]
    while unseen:
        born = children[unseen.pop()]
        found += born
        unseen += [each.pid for each in born]
    return found


def _parents() -> Iterator[tuple[Process, int]]:
    for entry in _PROC.iterdir():
        fields = _fields(int(entry.name)) if entry.name.isdecimal() else None
        if fields is not None:
            yield Process(int(entry.name), int(fields[_STARTED])), int(fields[_PARENT])


def _fields(pid: int) -> list[str] | None:
    try:
        told = (_PROC / str(pid) / "stat").read_text(errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    return told.rpartition(")")[2].split()  # a name may hold anything, also a parenthesis
