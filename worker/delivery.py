"""Brings what a trainer writes to the place that all workers share."""

from dataclasses import dataclass
from pathlib import Path
from typing import Self

from mmix import files

STAGED = "staged"
"""In an attempt's folder: what is on its way to a URL."""


@dataclass(frozen=True)
class Delivery:
    """A folder of this machine to write files to, and the place where they belong: that folder, or a URL."""

    folder: Path
    place: str

    @classmethod
    def to(cls, place: str, *, staging: Path) -> Self:
        """Files that belong in a folder are written there at once, those that belong at a URL to `staging` first."""
        return cls(staging if files.is_url(place) else Path(place), place)

    def bring(self, *names: str) -> None:
        """Takes files to where they belong, in this order; none is left here, whether that is possible or not.

        Raises: StorageError
        """
        if not files.is_url(self.place):
            return
        try:
            for name in names:
                files.put(self.folder / name, f"{self.place}/{name}")
        finally:
            for name in names:
                (self.folder / name).unlink(missing_ok=True)
