"""Protections that the harness can do without, to show that it would notice: the product has no switch for that."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, get_args

from sqlalchemy import text
from sqlalchemy.engine import Engine

Sabotage = Literal["fence", "reaper", "claim"]
"""The attempt's number, the taking back of runs whose lease lapsed, and that only a queued run is claimed."""

SABOTAGES: tuple[Sabotage, ...] = get_args(Sabotage)

NAMED_BY = "MMIX_CHAOS_SABOTAGE"


@contextmanager
def switched_off(sabotage: Sabotage | None) -> Iterator[None]:
    """Processes that are started by the body, and whatever they start, go without this protection."""
    if sabotage is None:
        yield
        return
    before = os.environ.get("PYTHONPATH")
    folders = [str(Path(__file__).parent), *([before] if before else [])]
    os.environ.update({"PYTHONPATH": os.pathsep.join(folders), NAMED_BY: sabotage})
    try:
        yield
    finally:
        del os.environ[NAMED_BY]
        if before is None:
            del os.environ["PYTHONPATH"]
        else:
            os.environ["PYTHONPATH"] = before


def unguard(engine: Engine, sabotage: Sabotage | None) -> None:
    """Takes away what the database itself would refuse."""
    if sabotage == "claim":
        with engine.begin() as connection:
            connection.execute(text("DROP TRIGGER runs_keep_the_rules ON runs"))
