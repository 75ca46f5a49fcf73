"""Everything of mmix on one machine: servers, API, dispatcher and worker as children of one process."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from mmix import embedded
from mmix.client import Client
from mmix.errors import SetupError
from mmix.parentage import bound_command
from mmix.settings import Settings
from mmix.store import schema, sessions

_READY_SECONDS = 30.0
_STOP_SECONDS = 5.0
_RESTART_SECONDS = 1.0  # between a child's death and its next life


@contextmanager
def household(settings: Settings, *, port: int) -> Iterator[str]:
    """Starts everything and yields the API's address once it is ready; stops everything at the end.

    A port of 0 takes any free one. While the body runs, `Household.tend` isn't called: children that die stay dead.

    Raises: SetupError where the port is taken, MMIX_HOME not usable or the database not reachable.
    """
    with opened(settings, port=port) as house:
        yield house.url


@contextmanager
def opened(settings: Settings, *, port: int, dispatchers: int = 1, workers: int = 1) -> Iterator["Household"]:
    """Like `household`, but yields the children too; of dispatchers beside the first each stands by.

    Raises: SetupError
    """
    port = _claimed(port)
    with ExitStack() as stack:
        served = stack.enter_context(embedded.services(settings))
        engine = sessions.engine(served)
        with sessions.reachable(engine):
            schema.migrate(engine)
        engine.dispose()
        house = Household(served, port=port, dispatchers=dispatchers, workers=workers)
        stack.callback(house.stop)
        house.start()
        yield house


def _claimed(port: int) -> int:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise SetupError(
                f"Port {port} can't be had ({error.strerror}): stop what listens there, or choose another with --port"
            ) from None
        chosen: int = probe.getsockname()[1]
        return chosen


@dataclass
class _Child:
    name: str
    command: list[str]
    log: Path
    environment: dict[str, str]
    farewell: signal.Signals = signal.SIGTERM
    process: subprocess.Popen[bytes] | None = field(default=None)
    died_at: float | None = None

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                bound_command(*self.command),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C is for the parent, which then ends its children in order
                env=self.environment,
            )
        self.died_at = None

    def say_goodbye(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(self.farewell)

    def bury(self, deadline: float) -> None:
        if self.process is None:
            return
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(max(0.1, deadline - time.monotonic()))
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)  # with all that it started and left behind
        self.process.wait()


class Household:
    """The children, started and ended together; one that dies is started again.

    They are `api`, `dispatcher`, `worker`, and `dispatcher-2`, `worker-2` and so on where there are several.
    """

    def __init__(self, settings: Settings, *, port: int, dispatchers: int = 1, workers: int = 1) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.logs = settings.home / "logs"
        self.logs.mkdir(parents=True, exist_ok=True)
        environment = {**os.environ, **environment_of(settings)}
        uvicorn = ["-m", "uvicorn", "--factory", "api.main:build", "--host", "127.0.0.1", "--port", str(port)]
        commands = {
            "api": [*uvicorn, "--no-access-log", "--log-level", "warning"],
            **{name: ["-m", "worker.dispatcher"] for name in _names("dispatcher", dispatchers)},
            **{name: ["-m", "worker.main"] for name in _names("worker", workers)},
        }
        self._children = [
            _Child(name, [sys.executable, *command], self.logs / f"{name}.log", environment)
            for name, command in commands.items()
        ]
        for child in self._children[1 + dispatchers :]:
            child.farewell = signal.SIGQUIT  # don't wait for trainings: they resume from a checkpoint

    def start(self) -> None:
        """Starts all children and waits until the API is ready.

        Raises: SetupError
        """
        for child in self._children:
            child.start()
        deadline = time.monotonic() + _READY_SECONDS
        with Client(self.url) as client:
            while not client.ready():
                api = self._children[0].process
                if time.monotonic() > deadline or (api is not None and api.poll() is not None):
                    raise SetupError(f"The API did not become ready: look at {self._children[0].log}")
                time.sleep(0.1)

    def tend(self) -> list[str]:
        """Starts children again that have died; names those found dead."""
        found = []
        for child in self._children:
            if child.process is None or child.process.poll() is None:
                continue
            if child.died_at is None:
                child.died_at = time.monotonic()
                found.append(f"{child.name} (exit {child.process.returncode}; see {child.log})")
            elif time.monotonic() > child.died_at + _RESTART_SECONDS:
                child.start()
        return found

    def whole(self) -> bool:
        """Whether all children live."""
        return all(child.process is not None and child.process.poll() is None for child in self._children)

    def pids(self) -> dict[str, int]:
        """The process of each child."""
        return {child.name: child.process.pid for child in self._children if child.process is not None}

    def stop(self) -> None:
        """Ends all children."""
        deadline = time.monotonic() + _STOP_SECONDS
        for child in reversed(self._children):
            child.say_goodbye()
        for child in reversed(self._children):
            child.bury(deadline)


def _names(kind: str, count: int) -> list[str]:
    return [kind if number == 1 else f"{kind}-{number}" for number in range(1, count + 1)]


def environment_of(settings: Settings) -> dict[str, str]:
    """The variables from which a child process reads these very settings."""
    values = {f"MMIX_{name.upper()}": value for name, value in settings.model_dump().items()}
    return {name: str(value) for name, value in values.items() if value is not None}
