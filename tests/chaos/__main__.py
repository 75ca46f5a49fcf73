"""`python -m tests.chaos`: gives a dose of faults, prints a row on each, and writes the report of a full one."""

import argparse
import os
import signal
import sys
import time
from pathlib import Path

from tests.chaos import report
from tests.chaos.campaign import Archive, campaign, healthy, real
from tests.chaos.catalogue import FAULTS
from tests.chaos.sabotage import SABOTAGES


def say(line: str) -> None:
    """A line with the time of day, at once."""
    sys.stdout.write(f"{time.strftime('%H:%M:%S')} {line}\n")
    sys.stdout.flush()


def main() -> int:
    """0 where nothing was lost or doubled, 1 where something was, 2 for wrong use."""
    names = [fault.name for fault in FAULTS]
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--dose", choices=("quick", "full"), default="full")
    parser.add_argument("--seed", type=int, default=2026)
    parser.add_argument("--only", nargs="+", choices=names, metavar="FAULT", help=", ".join(names))
    parser.add_argument("--state", type=Path, default=Path("build/chaos"), help="where rows are kept, to go on from")
    parser.add_argument(
        "--sabotage",
        choices=SABOTAGES,
        default=os.environ.get("SABOTAGE") or None,
        help="what the processes go without, to see that it is noticed (or SABOTAGE in the environment)",
    )
    parser.add_argument("--report", action="store_true", help="only write docs/faults.md, of the full doses so far")
    asked = parser.parse_args()
    if asked.report:
        report.write(FAULTS, Archive(asked.state))
        return 0
    chosen = [fault for fault in FAULTS if (fault.name in asked.only if asked.only else fault.count(asked.dose) > 0)]
    say(f"seed {asked.seed}, dose {asked.dose}: {', '.join(fault.name for fault in chosen)}")
    # What was done without a protection never counts as done with it.
    archive = Archive(asked.state / f"without-{asked.sabotage}" if asked.sabotage else asked.state)
    worlds = real(asked.sabotage)
    for ending in (signal.SIGINT, signal.SIGTERM):  # a shell has what it starts in the background ignore the first
        signal.signal(ending, signal.default_int_handler)
    try:
        rows = campaign(chosen, dose=asked.dose, seed=asked.seed, archive=archive, say=say, worlds=worlds)
    except KeyboardInterrupt:
        say("interrupted: the same command goes on from here")
        return 130
    if asked.dose == "full" and asked.sabotage is None:
        report.write(FAULTS, archive)
    return 0 if healthy(rows) else 1


if __name__ == "__main__":
    sys.exit(main())
