"""Everything mmix raises on purpose.

MmixError
├── SpecError            what was asked can't be done (failure class bad_spec)
├── DataError            the data can't be used (failure class bad_data)
│   ├── DataMissing      nothing lies where the data should lie
│   └── DataBroken       something lies there, but it can't be read
├── Diverged             the loss is no longer a number (failure class diverged)
├── CheckpointBroken     a checkpoint doesn't verify; the one before it may
├── StorageError         where artifacts lie nothing can be read or written (failure class storage)
├── StoreError
│   ├── NotFound         no such row
│   ├── Conflict         the request contradicts what is stored
│   └── Fenced           this attempt no longer owns its run
├── FigureError          these data don't make this figure
├── RecordsBroken        published records contradict each other, or are none
├── ServiceError         the REST API refused, or can't be reached
└── SetupError           the machine isn't ready: a port, a folder, a database
"""

from typing import ClassVar


class MmixError(Exception):
    """A failure that a person can understand and act on; its text is one line."""

    failure_class: ClassVar[str] = "error"


class SpecError(MmixError):
    """What the spec asks for can't be done on this data or with this model."""

    failure_class = "bad_spec"


class DataError(MmixError):
    """The data can't be used."""

    failure_class = "bad_data"


class DataMissing(DataError):
    """Nothing lies where the data should lie."""


class DataBroken(DataError):
    """Something lies where the data should lie, but it can't be read."""


class Diverged(MmixError):
    """The training loss is no longer a finite number."""

    failure_class = "diverged"


class CheckpointBroken(MmixError):
    """A checkpoint is missing a part or doesn't match its checksum."""


class StorageError(MmixError):
    """Where checkpoints and artifacts lie something can't be read or written: no answer, no right, no space."""

    failure_class = "storage"


class StoreError(MmixError):
    """The register refuses."""


class NotFound(StoreError):
    """There is no such row."""


class Conflict(StoreError):
    """The request contradicts what is stored."""


class Fenced(StoreError):
    """The attempt that writes is no longer the one that owns the run."""


class FigureError(MmixError):
    """The data given don't make the figure that was asked for."""


class RecordsBroken(MmixError):
    """Published records contradict each other, or a file of them isn't one."""


class ServiceError(MmixError):
    """The REST API refused a request or can't be reached."""


class SetupError(MmixError):
    """The machine isn't ready: a port is taken, a folder not writable, a database unreachable."""
