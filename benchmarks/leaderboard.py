"""How fast a leaderboard of 1,000,000 results is, 200,000 groups of five seeds, all on this machine; six minutes.

Loaded by COPY without anything of the leaderboard itself, which the first rebuild works out: that is a rebuild's worst
case. Then pages by the filters that people may use, alone and together, of groups that are there and a few that are
not: what their SQL takes, and what the API takes in an open loop of 200 requests a second. What finishing a run costs
beside is measured with thirty metrics each. PostgreSQL has its defaults, but for memory in which the leaderboard fits.
"""

import random
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

import httpx
import psycopg
from sqlalchemy import event, text
from sqlalchemy.engine import Engine

from api.boards import LeaderboardQuery
from api.rows import ALWAYS
from benchmarks.boards import Made, fill, groups, questions
from benchmarks.figures import Figure
from benchmarks.traffic import open_loop
from mmix import embedded
from mmix.cli.household import Household, opened
from mmix.cli.rebuilding import mended
from mmix.settings import Settings
from mmix.store import leaderboard, results, sessions
from mmix.store.leaderboard import After
from mmix.store.samples import Samples
from mmix.store.sessions import Sessions

GROUPS, PAGES, REQUESTS, FINISHES, METRICS = 200_000, 3_000, 6_000, 200, 30
REQUESTS_PER_SECOND, SEED, BUFFERS = 200.0, 2026, "1GB"
SQL_SECONDS, HTTP_SECONDS, REBUILD_SECONDS, CSV_SECONDS, CSV_MEGABYTES = 0.005, 0.025, 60.0, 10.0, 200.0


@dataclass(frozen=True)
class Service:
    """A service with a large leaderboard: its processes, its database, and what was put into it."""

    house: Household
    engine: Engine
    rows: Sessions
    made: Sequence[Made]
    samples: Samples


def figures() -> Iterator[Figure]:
    """Rebuilds, pages, the CSV and what a finish costs."""
    draw = random.Random(SEED)
    with _database() as settings:
        engine = sessions.engine(settings)
        made = list(groups(GROUPS, draw))
        with opened(settings, port=0, workers=0) as house:
            with psycopg.connect(str(settings.database_url)) as connection:
                fill(connection, made, draw)
                connection.autocommit = True
                connection.execute("VACUUM ANALYZE")
                service = Service(house, engine, sessions.sessions(engine), made, Samples())
                yield _rebuild(service, "rebuild of a leaderboard that was lost")
                connection.execute("VACUUM ANALYZE")
            yield _rebuild(service, "rebuild that finds nothing wrong")
            yield from _csv(service)
            yield from _pages(service, random.Random(SEED))
            yield from _requests(service, random.Random(SEED))
            yield _finishes(service)
        engine.dispose()


@contextmanager
def _database() -> Iterator[Settings]:
    with tempfile.TemporaryDirectory(prefix="mmix-bench-", ignore_cleanup_errors=True) as name:
        home = Path(name)
        with embedded.postgresql(home / "postgresql") as url, psycopg.connect(url, autocommit=True) as connection:
            connection.execute(f"ALTER SYSTEM SET shared_buffers = '{BUFFERS}'")
        with (
            embedded.postgresql(home / "postgresql") as database_url,
            embedded.redis_server(home / "redis") as redis_url,
        ):
            yield Settings(home=home, database_url=database_url, redis_url=redis_url)


def _rebuild(service: Service, name: str) -> Figure:
    began = time.perf_counter()
    for _ in mended(service.rows, keep=True):
        pass
    return _once(name, time.perf_counter() - began, "s", goal=REBUILD_SECONDS)


def _csv(service: Service) -> Iterator[Figure]:
    api = service.house.pids()["api"]
    before = _peak_megabytes(api)
    began, lines = time.perf_counter(), 0
    with httpx.stream("GET", f"{service.house.url}/v1/leaderboard?format=csv", timeout=120) as answer:
        answer.raise_for_status()
        for part in answer.iter_bytes():
            lines += part.count(b"\n")
    seconds = time.perf_counter() - began
    assert lines == GROUPS + 1, f"{lines} lines"
    yield _once(f"CSV of {GROUPS:,} groups", seconds, "s", goal=CSV_SECONDS)
    peak = _peak_megabytes(api)
    yield _once("the API's memory at its peak meanwhile", peak, "MB", goal=CSV_MEGABYTES)
    yield Figure("of that taken by the CSV", peak - before, "MB", peak - before, peak - before, 1)


def _peak_megabytes(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024 / 1e6


def _pages(service: Service, draw: random.Random) -> Iterator[Figure]:
    """What the database takes for a page, all its statements together: the first of a question, or one further on."""
    spent = [0.0]

    @event.listens_for(service.engine, "before_cursor_execute")
    def begin(*_: Any) -> None:
        spent[0] -= time.perf_counter()

    @event.listens_for(service.engine, "after_cursor_execute")
    def end(*_: Any) -> None:
        spent[0] += time.perf_counter()

    taken: list[float] = []
    for asked in questions(service.made, draw):
        query, after = LeaderboardQuery(**asked, metric=["error"]), None
        for _ in range(draw.choice((1, 1, 1, 2, 4))):
            spent[0] = 0.0
            found = _page(service, query, after)
            taken.append(spent[0])
            if len(found) <= 50:
                break
            after = After(mean=found[49].metrics["error"].mean, digest=found[49].group)
        if len(taken) >= PAGES:
            break
    yield _quantile("SQL of a page by any filters, p50", taken, 50, goal=None)
    yield _quantile("SQL of a page by any filters, p99", taken, 99, goal=SQL_SECONDS)


def _page(service: Service, query: LeaderboardQuery, after: After | None) -> Sequence[leaderboard.Place]:
    with service.rows.begin() as session:
        return leaderboard.page(
            session,
            filters=query.filters(),
            sort=query.sort,
            selection=query.selection,
            metrics=query.metric,
            after=after,
            limit=51,
            always=ALWAYS,
            samples=service.samples,
        )


def _requests(service: Service, draw: random.Random) -> Iterator[Figure]:
    url = httpx.URL(service.house.url)
    asked = [
        f"/v1/leaderboard?{urlencode(each, doseq=True)}" for each in islice(questions(service.made, draw), REQUESTS)
    ]
    assert url.port is not None
    open_loop(url.host, url.port, asked[:400], per_second=REQUESTS_PER_SECOND / 2)  # connections, plans, caches
    taken = open_loop(url.host, url.port, asked, per_second=REQUESTS_PER_SECOND)
    yield _quantile(f"a page over HTTP at {REQUESTS_PER_SECOND:g} requests/s, p50", taken, 50, goal=None)
    yield _quantile(f"a page over HTTP at {REQUESTS_PER_SECOND:g} requests/s, p99", taken, 99, goal=HTTP_SECONDS)


def _finishes(service: Service) -> Figure:
    """Results of new runs of groups that are there, each in a transaction of its own."""
    found = {"last": {f"deform_accuracy@rotation:{number}": 0.5 for number in range(1, METRICS)} | {"error": 0.1}}
    chosen = random.Random(SEED).sample(service.made, FINISHES)
    with service.rows.begin() as session:
        runs = [_finished_run(session, group) for group in chosen]
    began = time.perf_counter()
    for run_id, group in zip(runs, chosen, strict=True):
        with service.rows.begin() as session:
            results.store(session, run_id=run_id, digest=group.digest, seed=99, found=found)
    per_second = FINISHES / (time.perf_counter() - began)
    return Figure(f"finishes with {METRICS} metrics", per_second, "1/s", per_second, per_second, FINISHES, 50, ">=")


def _finished_run(session: Any, group: Made) -> Any:
    run_id = uuid4()
    values = {"run": run_id, "digest": group.digest}
    session.execute(text(_RUN), values)
    session.execute(text("UPDATE runs SET state = 'running', attempt = 1, lease_until = now() WHERE id = :run"), values)
    session.execute(
        text("UPDATE runs SET state = 'succeeded', lease_until = NULL, finished_at = now() WHERE id = :run"), values
    )
    return run_id


_RUN = """
INSERT INTO runs (id, experiment_id, owner, digest, seed, priority, device)
SELECT :run, id, owner, digest, 99, 0, 'any' FROM experiments WHERE digest = :digest LIMIT 1
"""


def _once(name: str, value: float, unit: str, *, goal: float) -> Figure:
    return Figure(name, value, unit, value, value, 1, goal, "<=")


def _quantile(name: str, seconds: list[float], percent: int, *, goal: float | None) -> Figure:
    value = statistics.quantiles(seconds, n=100, method="inclusive")[percent - 1]
    return Figure(name, value, "s", min(seconds), max(seconds), len(seconds), goal, "<=")
