"""The books: what was accepted against what the database holds in the end.

Lost is a run that was accepted and has not ended as it must, with its results. Doubled is whatever was done twice, or
by an attempt that no longer owned its run.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

from tests.chaos.reference import Same

Ask = Callable[..., list[Any]]

_DOUBLED = {
    "a run has two attempts that succeeded": """
        SELECT run_id FROM attempts WHERE outcome = 'succeeded' GROUP BY run_id HAVING count(*) > 1
    """,
    "a result is not that of the last attempt": """
        SELECT runs.id FROM runs LEFT JOIN attempts ON run_id = runs.id AND n = runs.attempt
        WHERE state = 'succeeded' AND outcome IS DISTINCT FROM 'succeeded'
    """,
    "an attempt goes on though its run has another or has ended": """
        SELECT run_id FROM attempts JOIN runs ON runs.id = run_id
        WHERE outcome IS NULL AND (n <> attempt OR state NOT IN ('running', 'cancelling'))
    """,
    "an attempt began before the one before it had ended": """
        SELECT later.run_id FROM attempts later JOIN attempts sooner ON sooner.run_id = later.run_id
        WHERE later.n > sooner.n AND (sooner.ended_at IS NULL OR later.started_at < sooner.ended_at)
    """,
    "a run ended twice": """
        SELECT object_id FROM audit WHERE after ->> 'state' IN ('succeeded', 'failed', 'cancelled')
        GROUP BY object_id HAVING count(*) > 1
    """,
    "a run was claimed more often than it has attempts": """
        SELECT object_id FROM audit WHERE before ->> 'state' = 'queued' AND after ->> 'state' = 'running'
        GROUP BY object_id HAVING count(*) <> (SELECT count(*) FROM attempts WHERE run_id = object_id)
    """,
    "a checkpoint was stored by an attempt that had ended": """
        SELECT checkpoints.run_id FROM checkpoints
        JOIN attempts ON attempts.run_id = checkpoints.run_id AND n = attempt
        WHERE committed_at > ended_at
    """,
    "a line was stored by an attempt that had ended": """
        SELECT log_lines.run_id FROM log_lines
        JOIN attempts ON attempts.run_id = log_lines.run_id AND attempts.n = attempt
        WHERE at > ended_at
    """,
    "a device is held by an attempt that had ended": """
        SELECT devices.run_id FROM devices JOIN attempts ON attempts.run_id = devices.run_id AND n = attempt
        WHERE outcome IS NOT NULL
    """,
    "the leaderboard counts a seed twice, or not at all": """
        SELECT digest FROM leaderboard WHERE selection = 'last'
        AND n <> (SELECT count(*) FROM entries WHERE entries.digest = leaderboard.digest)
    """,
    "a cancelled or failed run has results": """
        SELECT run_id FROM results JOIN runs ON runs.id = run_id WHERE state <> 'succeeded'
    """,
    "an Idempotency-Key made two experiments": """
        SELECT tag FROM experiments, unnest(tags) AS tag WHERE tag LIKE 'key:%' GROUP BY tag HAVING count(*) > 1
    """,
}


@dataclass(frozen=True)
class Expected:
    """The states in which a run may end, what it must then hold and how many attempts it may take."""

    ends: tuple[str, ...]
    same: Same | None
    attempts: int | None = None


@dataclass(frozen=True)
class Account:
    """What was lost and doubled; `reasons` has a line on each."""

    lost: int
    doubled: int
    reasons: tuple[str, ...]


@dataclass
class Ledger:
    """What was accepted: runs by id, and keyed requests by key; what was told of before isn't told again."""

    runs: dict[str, Expected] = field(default_factory=dict)
    keys: set[str] = field(default_factory=set)
    told: frozenset[str] = frozenset()

    def accept(self, run_id: str, expected: Expected) -> None:
        """Notes a run that the service has accepted."""
        self.runs[run_id] = expected

    def excuse(self, runs: Iterable[str]) -> None:
        """Lets these runs take as many attempts as they need."""
        self.runs |= {run_id: replace(self.runs[run_id], attempts=None) for run_id in runs}

    def settle(self, ask: Ask) -> Account:
        """Compares with the database; `ask` answers a query's rows."""
        lost = [reason for run_id, expected in self.runs.items() if (reason := _lost(ask, run_id, expected))]
        lost += [f"the experiment of {key} is not there" for key in sorted(self.keys - _kept_keys(ask))]
        doubled = [
            f"{what}: {row[0]} {_history(ask, row[0])}" for what, query in _DOUBLED.items() for row in ask(query)
        ]
        doubled = [reason for reason in doubled if reason not in self.told]
        doubled += [reason for run_id, expected in self.runs.items() if (reason := _repeated(ask, run_id, expected))]
        self.told |= frozenset(doubled)
        return Account(len(lost), len(doubled), (*lost, *doubled))

    def turned(self) -> "Ledger":
        """A new page."""
        return Ledger(told=self.told)


def held(ask: Ask, run_id: str) -> Same:
    """What a run that succeeded holds."""
    return Same(_weights(ask, run_id), _results(ask, run_id))


def _lost(ask: Ask, run_id: str, expected: Expected) -> str | None:
    rows = ask("SELECT state, failure_message FROM runs WHERE id = :id", id=UUID(run_id))
    if not rows:
        return f"run {run_id} is not there"
    state = rows[0].state
    if state not in expected.ends:
        return f"run {run_id} is {state} ({rows[0].failure_message}) {_history(ask, UUID(run_id))}"
    if state != "succeeded":
        return None
    found = _results(ask, run_id)
    if "error" not in found.get("last", {}):
        return f"run {run_id} has no results"
    if expected.same is None:
        return None
    if found != expected.same.results:
        return f"run {run_id} has other results than undisturbed: {found['last']} {_history(ask, UUID(run_id))}"
    if _weights(ask, run_id) != expected.same.sha256:
        return f"run {run_id} has other weights than undisturbed {_history(ask, UUID(run_id))}"
    return None


def _repeated(ask: Ask, run_id: str, expected: Expected) -> str | None:
    """That a run which nothing harmed was attempted again."""
    if expected.attempts is None:
        return None
    count = ask("SELECT count(*) AS n FROM attempts WHERE run_id = :id", id=UUID(run_id))[0].n
    if count <= expected.attempts:
        return None
    return f"run {run_id} took {count} attempts, though it was not harmed {_history(ask, UUID(run_id))}"


def _weights(ask: Ask, run_id: str) -> str:
    """The SHA-256 of the newest checkpoint; nothing where there is none."""
    rows = ask("SELECT sha256 FROM checkpoints WHERE run_id = :id ORDER BY epoch DESC LIMIT 1", id=UUID(run_id))
    return str(rows[0].sha256) if rows else ""


def _results(ask: Ask, run_id: str) -> dict[str, dict[str, float]]:
    found: dict[str, dict[str, float]] = {}
    # but for the time that it took, which no two runs share
    query = "SELECT metric, selection, value FROM results WHERE run_id = :id AND metric <> 'device_seconds'"
    for row in ask(query, id=UUID(run_id)):
        found.setdefault(row.selection, {})[row.metric] = row.value
    return found


def _kept_keys(ask: Ask) -> set[str]:
    rows = ask("SELECT DISTINCT tag FROM experiments, unnest(tags) AS tag WHERE tag LIKE 'key:%'")
    return {row.tag for row in rows}


def _history(ask: Ask, run_id: Any) -> str:
    """The attempts at a run, in a few words; nothing where this is no run's id."""
    if not isinstance(run_id, UUID):
        return ""
    rows = ask("SELECT n, outcome, first_epoch, last_epoch FROM attempts WHERE run_id = :id ORDER BY n", id=run_id)
    return "; ".join(f"attempt {row.n} {row.outcome} epochs {row.first_epoch} to {row.last_epoch}" for row in rows)
