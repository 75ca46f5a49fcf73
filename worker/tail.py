"""Follows a file that a trainer prints to, line by line."""

from collections.abc import Iterator
from pathlib import Path

from mmix.store.events import MOST_CHARACTERS

_STEP_BYTES = 1 << 18  # at a time: a flood must not keep a supervisor from renewing its lease
_LAST_STEPS = 128  # 32 MiB when the trainer has ended
_LINE_BYTES = 4 * MOST_CHARACTERS  # a character has four bytes at most


class Tail:
    """A file's lines from its beginning, as they become whole; the file may not be there yet."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0
        self._begun = b""

    def read(self) -> list[str]:
        """The lines that are whole by now; what a step's worth of bytes doesn't reach stays for the next call."""
        try:
            with self._path.open("rb") as file:
                file.seek(self._offset)
                found = file.read(_STEP_BYTES)
        except FileNotFoundError:
            return []
        self._offset += len(found)
        *whole, begun = (self._begun + found).split(b"\n")
        self._begun = begun[:_LINE_BYTES]  # the end of an endless line is not kept
        return [_words(line) for line in whole]

    def rest(self) -> Iterator[str]:
        """The lines that are left, and the last one without its end: for a file that nobody writes any more."""
        for _ in range(_LAST_STEPS):
            before = self._offset
            yield from self.read()
            if self._offset == before:
                break
        if self._begun:
            yield _words(self._begun)


def _words(line: bytes) -> str:
    return line[:_LINE_BYTES].decode(errors="replace").rstrip("\r")
