"""All faults, in the order in which they are given."""

from tests.chaos.campaign import Fault
from tests.chaos.faults import (
    cancels,
    checkpoints,
    clocks,
    freezes,
    keyed,
    messages,
    mixture,
    processes,
    ranks,
    services,
)

FAULTS: tuple[Fault, ...] = (
    *processes.FAULTS,
    *keyed.FAULTS,
    *freezes.FAULTS,
    *ranks.FAULTS,
    *services.FAULTS,
    *messages.FAULTS,
    *checkpoints.FAULTS,
    *cancels.FAULTS,
    *clocks.FAULTS,
    *mixture.FAULTS,
)
