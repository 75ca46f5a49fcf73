"""kill -9 of the API while clients POST with Idempotency-Keys, and POST again where they hear nothing."""

import random
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from uuid import uuid4

import psutil

from mmix.client import Client, Json
from mmix.errors import ServiceError
from tests.chaos.campaign import Fault
from tests.chaos.ledger import Expected
from tests.chaos.reference import TINY
from tests.chaos.world import World

_CLIENTS = 4
_PAUSE_SECONDS = 0.01
_RETRY_SECONDS = 0.05


@dataclass
class Posters:
    """Clients that POST one experiment after another, each with a key of its own until it is accepted."""

    url: str
    accepted: dict[str, Json] = field(default_factory=dict)
    stopped: threading.Event = field(default_factory=threading.Event)

    def post(self) -> None:
        """POSTs until it is stopped; what it began it ends."""
        with Client(self.url) as client:
            while not self.stopped.is_set():
                key = f"key:{uuid4()}"
                self.accepted[key] = self._insist(client, key)
                time.sleep(_PAUSE_SECONDS)

    def _insist(self, client: Client, key: str) -> Json:
        while True:
            try:
                # Nobody here has a GPU: what is accepted stays queued, and is cancelled afterwards.
                return client.submit(TINY, seeds=[0], tags=[key], device="cuda", key=key)
            except ServiceError:
                time.sleep(_RETRY_SECONDS)


@contextmanager
def posting(world: World) -> Iterator[Posters]:
    """Clients that POST while the body runs; afterwards the ledger has all that was accepted, and it is cancelled."""
    posters = Posters(world.house.url)
    with ThreadPoolExecutor(_CLIENTS) as pool:
        clients = [pool.submit(posters.post) for _ in range(_CLIENTS)]
        try:
            yield posters
        finally:
            posters.stopped.set()
            world.until(lambda: all(client.done() for client in clients), what="an answer to every POST")
    for key, answer in posters.accepted.items():
        world.ledger.keys.add(key)
        for run in answer["runs"]:
            world.ledger.accept(run["id"], Expected(("cancelled",), None))
        world.client.cancel_experiment(answer["id"])


def kill_api(world: World, chance: random.Random) -> float:
    """The API dies while it is being asked; what it accepted is there, and there once."""
    world.until(world.client.ready, what="an API that is ready")
    with posting(world) as posters:
        world.until(lambda: len(posters.accepted) >= _CLIENTS, what="the first answers")
        time.sleep(chance.uniform(0, 0.5))
        before = len(posters.accepted)
        struck_at = time.monotonic()
        psutil.Process(world.house.pids()["api"]).kill()
        world.until(lambda: len(posters.accepted) > before + _CLIENTS, what="an answer to a POST")
        seconds = time.monotonic() - struck_at
    return seconds


FAULTS = (Fault("api", "kill -9 of the API under POSTs with Idempotency-Keys", kill_api, quick=1, full=20),)
