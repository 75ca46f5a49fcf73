"""The states of a run and the only ways from one to another; the kinds of devices."""

from typing import Literal

State = Literal["queued", "running", "cancelling", "succeeded", "failed", "cancelled"]

STATES: tuple[State, ...] = ("queued", "running", "cancelling", "succeeded", "failed", "cancelled")
TERMINAL: tuple[State, ...] = ("succeeded", "failed", "cancelled")
OWNED: tuple[State, ...] = ("running", "cancelling")
"""States in which an attempt holds a lease."""

TRANSITIONS: dict[State, frozenset[State]] = {
    "queued": frozenset({"running", "cancelled"}),
    "running": frozenset({"succeeded", "failed", "queued", "cancelling"}),
    "cancelling": frozenset({"cancelled"}),
    "succeeded": frozenset(),
    "failed": frozenset(),
    "cancelled": frozenset(),
}

Outcome = Literal["succeeded", "failed", "lost", "cancelled"]
OUTCOMES: tuple[Outcome, ...] = ("succeeded", "failed", "lost", "cancelled")
"""How an attempt ended; `lost` means that its worker or trainer died and the run goes back to the queue."""

LOSSES_ALLOWED = 5
"""A run whose attempts were lost more often than this fails: it probably kills its workers."""


def of_experiment(states: set[str]) -> State:
    """The state of an experiment, derived from the states of its runs."""
    if "failed" in states:
        return "failed"
    if "cancelled" in states:
        return "cancelled"
    if states & set(OWNED):
        return "running"
    return "queued" if "queued" in states else "succeeded"


DeviceKind = Literal["cpu", "cuda"]
DEVICE_KINDS: tuple[DeviceKind, ...] = ("cpu", "cuda")
"""What a worker's device may be; of a processor, each slot is a device."""
