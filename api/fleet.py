"""What the API tells about workers and the queue."""

from collections.abc import Sequence
from datetime import datetime
from typing import Self
from uuid import UUID

from pydantic import BaseModel

from api.schemas import Answer
from mmix.store.line import Waiting, WorkerView
from mmix.store.states import State


class Worker(Answer):
    """A live worker: the kinds of devices it serves, its devices, and how many of them a run holds.

    `data` are the data sets that lie there, each with the SHA-256 of all its pixels and labels; null where that is
    unknown, as the data set isn't packed.
    """

    id: UUID
    host: str
    kinds: list[str]
    draining: bool
    started_at: datetime
    last_seen: datetime
    devices: list[str]
    busy: int
    data: dict[str, str | None]


class Workers(BaseModel):
    """The live workers, the oldest first."""

    items: list[Worker]

    @classmethod
    def of(cls, views: Sequence[WorkerView]) -> Self:
        """The answer for these rows."""
        return cls(items=[Worker.model_validate(view) for view in views])


class WaitingRun(Answer):
    """A run that nobody works on yet, and why."""

    id: UUID
    experiment: UUID
    seed: int
    label: str
    state: State
    priority: int
    device: str
    devices: int
    created_at: datetime
    reason: str


class Queue(BaseModel):
    """What waits, in the order in which it is looked at; `more` says whether there are more than are listed."""

    items: list[WaitingRun]
    more: bool

    @classmethod
    def of(cls, views: Sequence[Waiting], *, limit: int) -> Self:
        """The answer for these rows, of which one too many was asked for."""
        return cls(items=[WaitingRun.model_validate(view) for view in views[:limit]], more=len(views) > limit)
