"""The states of a run and the only ways from one to another; the kinds of devices."""

from typing import Literal

State = Literal["blocked", "queued", "running", "retry_wait", "cancelling", "succeeded", "failed", "cancelled"]

STATES: tuple[State, ...] = (
    "blocked",
    "queued",
    "running",
    "retry_wait",
    "cancelling",
    "succeeded",
    "failed",
    "cancelled",
)
BORN: tuple[State, ...] = ("blocked", "queued")
"""States in which a run begins: `blocked` where it waits for other runs to succeed."""
WAITING: tuple[State, ...] = ("blocked", "queued", "retry_wait")
"""States in which nobody works on a run, though it isn't finished: whoever cancels it ends it at once."""
OWNED: tuple[State, ...] = ("running", "cancelling")
"""States in which an attempt holds a lease."""
TERMINAL: tuple[State, ...] = ("succeeded", "failed", "cancelled")

TRANSITIONS: dict[State, frozenset[State]] = {
    "blocked": frozenset({"queued", "failed", "cancelled"}),
    "queued": frozenset({"running", "cancelled"}),
    "running": frozenset({"succeeded", "failed", "retry_wait", "queued", "cancelling"}),
    "retry_wait": frozenset({"queued", "cancelled"}),
    "cancelling": frozenset({"cancelled"}),
    "succeeded": frozenset(),
    "failed": frozenset(),
    "cancelled": frozenset(),
}
"""The trigger `runs_keep_the_rules` refuses everything else: mmix.store.guards has its SQL, and a test compares."""

Outcome = Literal["succeeded", "failed", "lost", "preempted", "cancelled"]
OUTCOMES: tuple[Outcome, ...] = ("succeeded", "failed", "lost", "preempted", "cancelled")
"""How an attempt ended.

`lost`: its worker or trainer died; `preempted`: its worker was told to stop. The run goes back to the queue.
"""

LOSSES_ALLOWED = 5
"""A run whose attempts were lost more often than this fails: it probably kills its workers."""

TRIES = 3
"""How often an attempt may end in an error that may not come again, until the run fails.

What would come again (a bad spec, bad data, a loss that is no number, too little memory) ends it at once.
"""

FIRST_WAIT_SECONDS = 10.0
"""From the first such end to the next attempt; each further wait is twice as long."""

RETRIED: frozenset[str] = frozenset({"unforeseen", "crashed", "storage"})
"""Classes of failure after which a run is tried again."""


def of_experiment(states: set[str]) -> State:
    """The state of an experiment, derived from the states of its runs."""
    if "failed" in states:
        return "failed"
    if "cancelled" in states:
        return "cancelled"
    if states & set(OWNED):
        return "running"
    return next((state for state in ("queued", "retry_wait", "blocked") if state in states), "succeeded")


DeviceKind = Literal["cpu", "cuda"]
DEVICE_KINDS: tuple[DeviceKind, ...] = ("cpu", "cuda")
"""What a worker's device may be; of a processor, each slot is a device."""
