"""How long a POST of a comparison takes that asks for a thousand new runs; half a minute.

Everything is on this machine: database, Redis, API and dispatcher, which finds no worker to call. The shapes a thousand
runs may have are timed in turn; those with many arms also store as many specs and experiments.
"""

import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

from benchmarks.figures import Figure, over
from mmix import embedded
from mmix.cli.household import opened
from mmix.client import Client
from mmix.settings import Settings

GOAL_SECONDS = 0.5
SHAPES = ((1, 1000), (2, 500), (200, 5), (1000, 1))
"""Arms and seeds."""
ROUNDS = 10
BASE = {
    "model": {"kind": "mlp", "hidden": [8, 8]},
    "data": {"kind": "digits"},
    "mixing": {"kind": "manifold_mixup", "alpha": 1.0, "layers": [0, 1, 2]},
    "training": {"epochs": 40, "batch_size": 50, "schedule": {"kind": "cosine"}},
}


def figures() -> Iterator[Figure]:
    """The seconds of each shape, new arms each time, and of the same arms once more."""
    with _client() as client:
        alphas = count(1)
        asked = {shape: [_body(alphas, *shape) for _ in range(ROUNDS + 1)] for shape in SHAPES}
        taken = {shape: [_seconds(client, body) for body in bodies][1:] for shape, bodies in asked.items()}
        again = [_seconds(client, body) for body in asked[SHAPES[-1]]]
    for (arms, seeds), seconds in taken.items():
        yield over(f"POST of {_words(arms, seeds)}", seconds, "s", goal=GOAL_SECONDS, sense="<=")
    name = f"the same once more, {_words(*SHAPES[-1])}"
    yield over(name, again, "s", goal=GOAL_SECONDS, sense="<=")


def _words(arms: int, seeds: int) -> str:
    return f"{arms} arm{'s' if arms > 1 else ''} of {seeds} seed{'s' if seeds > 1 else ''}"


def _body(alphas: Iterator[int], arms: int, seeds: int) -> dict[str, object]:
    grid = [next(alphas) / 1000 for _ in range(arms)]
    return {
        "name": "benchmark",
        "base": BASE,
        "grid": {"mixing.alpha": grid},
        "seeds": list(range(seeds)),
        "baseline": f"alpha={grid[0]}",
    }


def _seconds(client: Client, body: dict[str, object]) -> float:
    began = time.perf_counter()
    client.compare(body)
    return time.perf_counter() - began


@contextmanager
def _client() -> Iterator[Client]:
    with (
        tempfile.TemporaryDirectory(prefix="mmix-bench-", ignore_cleanup_errors=True) as name,
        embedded.postgresql(Path(name) / "postgresql") as database_url,
        embedded.redis_server(Path(name) / "redis") as redis_url,
    ):
        settings = Settings(home=Path(name), database_url=database_url, redis_url=redis_url)
        with opened(settings, port=0, workers=0) as house, Client(house.url) as client:
            yield client
