"""The leaderboard is always what its runs' results come to, whatever finished or was withdrawn, and in which order."""

import random
from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from math import fsum
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.engine import Engine
from sqlalchemy.orm import Session

from mmix.errors import Conflict, NotFound
from mmix.store import experiments, rebuild, results, runs, standings
from mmix.store import sessions as store
from mmix.store.experiments import Wish
from mmix.store.sessions import Sessions
from tests.conftest import make_spec

OPERATIONS, THREADS = 10_000, 3
GROUPS, SEEDS, TWINS, RESERVED = 40, 8, 25, 25
FINISHED = """
INSERT INTO runs (id, experiment_id, owner, digest, seed, priority, device)
    SELECT gen_random_uuid(), id, 'local', digest, seed, 0, 'any'
    FROM experiments, generate_series(0, :seeds - 1) AS seed;
UPDATE runs SET state = 'running', attempt = 1, lease_until = now();
UPDATE runs SET state = 'succeeded', lease_until = NULL, finished_at = clock_timestamp();
INSERT INTO attempts (run_id, n, worker_id, host, devices, ended_at, outcome, provenance)
    SELECT id, 1, id, 'here', '{a,b}', now() + interval '3 s', 'succeeded', '{"device": "cpu"}' FROM runs
"""
COUNTED = """
SELECT entries.digest, metric, selection, array_agg(value ORDER BY seed), array_agg(seed ORDER BY seed)
FROM entries JOIN results ON results.run_id = entries.run_id GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
"""
HELD = """
SELECT digest, metric, selection, n, mean, m2, low, low_seed, high, high_seed FROM leaderboard ORDER BY 1, 2, 3
"""
MISCOUNTED = """
SELECT digest, seed FROM (SELECT DISTINCT digest, seed FROM runs JOIN results ON run_id = runs.id) AS finished
FULL JOIN (SELECT digest, seed FROM entries JOIN results USING (run_id) WHERE metric = 'error') AS counted
    USING (digest, seed)
WHERE counted.digest IS NULL OR finished.digest IS NULL
"""


class History:
    """Finished runs, whose results are stored and withdrawn at random."""

    def __init__(self, sessions: Sessions, finished: Sequence[Any], *, seed: int) -> None:
        self._sessions, self._draw = sessions, random.Random(seed)
        self._to_come, self._stored = list(finished), list[UUID]()
        self._draw.shuffle(self._to_come)

    def go_on(self, operations: int, *, at_once: int) -> None:
        """So many more finishes and withdrawals, some in each transaction."""
        for _ in range(operations // at_once):
            with self._sessions.begin() as session:
                for _ in range(at_once):
                    self._happen(session)

    def _happen(self, session: Session) -> None:
        if self._stored and self._draw.random() < 0.4:
            run_id = self._stored.pop(self._draw.randrange(len(self._stored)))
            results.withdraw(session, owner="local", run_id=run_id, reason="a broken data set")
        else:
            run = self._to_come.pop()
            found = {"last": {"error": self._draw.random(), "nll": self._draw.gauss(1, 1e-3)}}
            results.store(session, run_id=run.id, digest=run.digest, seed=run.seed, found=found)
            self._stored.append(run.id)


def _finished_runs(sessions: Sessions) -> dict[str, list[Any]]:
    """Runs that finished without results so far, by their group: of each seed several."""
    with sessions.begin() as session:
        for group in range(GROUPS):
            spec = make_spec(model={"kind": "mlp", "hidden": [group + 1]})
            for _ in range(TWINS):
                experiments.create(session, owner="local", spec=spec, wish=Wish(seeds=()))
        for statement in FINISHED.split(";"):
            session.execute(text(statement), {"seeds": SEEDS})
        rows = session.execute(text("SELECT id, digest, seed FROM runs ORDER BY experiment_id, seed"))
        found: dict[str, list[Any]] = defaultdict(list)
        for row in rows:
            found[row.digest].append(row)
        return found


def _recomputed(session: Session) -> list[tuple[Any, ...]]:
    """What the standings should be, worked out by other means."""
    found = []
    for name, metric, selection, values, seeds in session.execute(text(COUNTED)):
        average = fsum(values) / len(values)
        low, high = min(zip(values, seeds, strict=True)), max(zip(values, [-seed for seed in seeds], strict=True))
        spread = fsum((value - average) ** 2 for value in values)
        numbers = (len(values), average, spread, low[0], low[1], high[0], -high[1])
        found.append((name, metric, selection, *(pytest.approx(number, rel=1e-9) for number in numbers)))
    return found


def test_ten_thousand_finishes_and_withdrawals_later_the_standings_are_what_the_results_come_to(
    engine: Engine,
) -> None:
    sessions = store.sessions(engine)
    finished = _finished_runs(sessions)
    apart = [History(sessions, some[:-RESERVED], seed=place) for place, some in enumerate(finished.values())]
    mixed = [run for some in finished.values() for run in some[-RESERVED:]]
    together = [History(sessions, mixed[place::THREADS], seed=place) for place in range(THREADS)]
    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(lambda history: history.go_on(OPERATIONS // 10 * 9 // GROUPS, at_once=25), apart))
        list(pool.map(lambda history: history.go_on(OPERATIONS // 10 // THREADS, at_once=1), together))
    with sessions.begin() as session:
        assert [tuple(row) for row in session.execute(text(HELD))] == _recomputed(session)
        assert session.execute(text(MISCOUNTED)).all() == []
        assert standings.settle_all(session, first="", last="g") == []
        assert session.scalar(text("SELECT count(*) FROM audit WHERE action = 'withdraw'")) > OPERATIONS // 3


def _stored(sessions: Sessions, runs_of: Sequence[Any], errors: Sequence[float]) -> None:
    with sessions.begin() as session:
        for run, error in zip(runs_of, errors, strict=True):
            found = {"last": {"error": error}}
            results.store(session, run_id=run.id, digest=run.digest, seed=run.seed, found=found)


def _twins(sessions: Sessions, *, seeds: int, of_each: int) -> Sequence[Any]:
    """Finished runs of one spec without results so far, by seed."""
    with sessions.begin() as session:
        for _ in range(of_each):
            experiments.create(session, owner="local", spec=make_spec(), wish=Wish(seeds=()))
        for statement in FINISHED.split(";"):
            session.execute(text(statement), {"seeds": seeds} if ":seeds" in statement else {})
        return session.execute(text("SELECT id, digest, seed FROM runs ORDER BY seed, id")).all()


def _means(sessions: Sessions) -> list[tuple[int, float]]:
    with sessions.begin() as session:
        return [(row.n, row.mean) for row in session.execute(text(HELD)) if row.metric == "error"]


def test_where_a_result_is_withdrawn_another_run_of_its_seed_counts(sessions: Sessions) -> None:
    first, second = _twins(sessions, seeds=1, of_each=2)
    _stored(sessions, [first, second], [0.2, 0.4])
    assert _means(sessions) == [(1, 0.2)]
    with sessions.begin() as session:
        results.withdraw(session, owner="local", run_id=first.id, reason="wrong labels")
        told = runs.get(session, owner="local", run_id=first.id)
    assert (told.state, told.results, told.withdrawn) == ("succeeded", {}, "wrong labels")
    assert _means(sessions) == [(1, 0.4)]
    with sessions.begin() as session:
        results.withdraw(session, owner="local", run_id=second.id, reason="wrong labels")
    assert _means(sessions) == []


def test_what_was_withdrawn_stands_in_the_audit_with_the_reason(sessions: Sessions) -> None:
    (run,) = _twins(sessions, seeds=1, of_each=1)
    _stored(sessions, [run], [0.2])
    with sessions.begin() as session:
        results.withdraw(session, owner="local", run_id=run.id, reason="wrong \x00 labels")
        (noted,) = session.execute(text("SELECT * FROM audit WHERE action = 'withdraw'"))
    assert (noted.object_id, noted.after) == (run.id, {"reason": "wrong \\x00 labels"})
    assert noted.before["results"]["last"]["error"] == 0.2


def test_only_results_that_are_there_and_ones_own_can_be_withdrawn(sessions: Sessions) -> None:
    (run,) = _twins(sessions, seeds=1, of_each=1)
    with sessions.begin() as session, pytest.raises(Conflict, match="has no results"):
        results.withdraw(session, owner="local", run_id=run.id, reason="x")
    _stored(sessions, [run], [0.2])
    with sessions.begin() as session, pytest.raises(NotFound):
        results.withdraw(session, owner="ann", run_id=run.id, reason="x")


def _mended(sessions: Sessions) -> list[Any]:
    """What a rebuild says of each share of the groups where something was wrong."""
    found = []
    for first, last in rebuild.shares():
        with sessions.begin() as session:
            told = rebuild.mend(session, first=first, last=last)
            found += [told] if told.standings or told.groups or told.seeds else []
    return found


@pytest.mark.parametrize(
    ("damage", "named"),
    [
        ("UPDATE leaderboard SET mean = mean + 1e-15 WHERE metric = 'error'", {"standings": ["error"]}),
        ("DELETE FROM leaderboard WHERE metric = 'error'", {"standings": ["error"]}),
        ("INSERT INTO leaderboard SELECT digest, 'nll', 'last', 1, 0.5, 0 FROM groups", {"standings": ["nll"]}),
        ("UPDATE leaderboard SET cell_id = NULL WHERE metric = 'error'", {"standings": ["error"]}),
        ("DELETE FROM entries WHERE seed = 1", {"seeds": [1]}),
        ("UPDATE results SET value = 0.9 WHERE metric = 'error' AND value = 0.2", {"standings": ["error"]}),
        ("UPDATE groups SET cell_id = NULL, facets = '{}'", {"groups": 1}),
        ("UPDATE groups SET facets = facets || '{tag=nobodys}'", {"groups": 1}),
    ],
)
def test_a_rebuild_names_what_is_wrong_mends_it_and_then_finds_nothing(
    sessions: Sessions, damage: str, named: dict[str, Any]
) -> None:
    _stored(sessions, _twins(sessions, seeds=2, of_each=1), [0.2, 0.3])
    assert _mended(sessions) == []
    with sessions.begin() as session:
        session.execute(text(damage))
    (told,) = _mended(sessions)
    assert [standing.metric for standing in told.standings] == named.get("standings", [])
    assert (len(told.groups), [seed for _, seed in told.seeds]) == (named.get("groups", 0), named.get("seeds", []))
    assert _mended(sessions) == []
