"""`mmix doctor`: what on this machine stands in the way of a service, and what to do about it."""

import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from mmix.settings import Settings

_LITTLE_DISK = 2 * 2**30  # bytes: a few checkpoints of a large network


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at; `advice` where something is wrong with it."""

    subject: str
    found: str
    advice: str = ""


def doctor() -> None:
    """Looks at Python, disk, database, Redis, devices and data, and says what to do where something is wrong."""
    from mmix import settings

    found = settings.load()
    wrong = 0
    for look in _LOOKS:
        for finding in look(found):
            wrong += bool(finding.advice)
            sign = "wrong" if finding.advice else "ok"
            typer.echo(f"{sign:6}{finding.subject}: {finding.found}")
            if finding.advice:
                typer.echo(f"{'':6}{finding.advice}")
    if wrong:
        raise typer.Exit(1)


def _python(_: "Settings") -> Iterator[Finding]:
    version = ".".join(map(str, sys.version_info[:3]))
    known = (3, 11) <= sys.version_info[:2] <= (3, 13)
    yield Finding("Python", version, "" if known else "mmix is made for 3.11 to 3.13: install one of them")


def _folders(settings: "Settings") -> Iterator[Finding]:
    from mmix import files

    folders = {"data": settings.data_folder, "scratch": settings.scratch_folder}
    if files.is_url(settings.artifacts_place):
        yield _url(settings.artifacts_place)
    else:
        folders = {"artifacts": Path(settings.artifacts_place), **folders}
    for subject, folder in folders.items():
        yield _folder(subject, folder)


def _url(place: str) -> Finding:
    from mmix import files
    from mmix.errors import StorageError

    try:
        files.write(f"{place}/.doctor", b"")
        files.delete(f"{place}/.doctor")
    except StorageError as error:
        return Finding("artifacts", str(error), "correct MMIX_ARTIFACTS, or what gives access to it")
    return Finding("artifacts", place)


def _folder(subject: str, folder: Path) -> Finding:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / ".doctor").write_text("")
        (folder / ".doctor").unlink()
    except OSError as error:
        name = f"MMIX_{subject.upper()}"
        return Finding(subject, f"{folder} can't be written ({error.strerror})", f"set {name} to a folder of yours")
    free = shutil.disk_usage(folder).free
    advice = "make room: checkpoints of a large network take gigabytes" if free < _LITTLE_DISK else ""
    return Finding(subject, f"{folder}, {free / 2**30:.0f} GiB free", advice)


def _database(settings: "Settings") -> Iterator[Finding]:
    from mmix.errors import SetupError
    from mmix.store import schema, sessions

    if settings.database_url is None:
        yield Finding("database", "an embedded PostgreSQL, which `mmix up` starts")
        return
    try:
        engine = sessions.engine(settings, pool_size=1)
        with sessions.reachable(engine), engine.connect() as connection:
            stands_at = sessions.revision(sessions.sessions(engine)(bind=connection))
    except SetupError as error:
        yield Finding("database", "no answer", str(error))
        return
    behind = stands_at != schema.head()
    yield Finding("database", f"at migration {stands_at}", f"run `mmix migrate`: {schema.head()}" if behind else "")
    if not behind:
        with sessions.sessions(engine).begin() as session:
            yield _workers(session)


def _workers(session: "Session") -> Finding:
    from mmix.cli.clashes import ADVICE, clashes
    from mmix.store import line, workers

    alive = line.workers(session, alive_seconds=workers.ALIVE_SECONDS)
    different = clashes((f"{worker.host} ({worker.id})", worker.data) for worker in alive)
    return Finding("workers", "; ".join([f"{len(alive)} alive", *different]), ADVICE if different else "")


def _redis(settings: "Settings") -> Iterator[Finding]:
    import redis

    if settings.redis_url is None:
        yield Finding("Redis", "an embedded one, which `mmix up` starts")
        return
    try:
        with redis.Redis.from_url(settings.redis_url, socket_connect_timeout=3, socket_timeout=3) as connection:
            connection.ping()
            yield Finding("Redis", "answers")
    except (redis.RedisError, OSError, ValueError) as error:
        yield Finding("Redis", f"no answer ({error})", "start it, or correct MMIX_REDIS_URL")


def _devices(settings: "Settings") -> Iterator[Finding]:
    import torch

    from worker.inventory import inventory

    listed = inventory(settings)
    kind = listed[0].kind
    advice = ""
    if kind == "cuda" and settings.fake_gpus is None and not torch.cuda.is_available():
        advice = "torch finds no CUDA: install torch's CUDA build and a driver that fits it"
    yield Finding("devices", f"{len(listed)} of kind {kind}, {settings.cores} cores", advice)


def _data(settings: "Settings") -> Iterator[Finding]:
    from mmix.data.listing import listing

    ready = [row.name for row in listing(settings.data_folder) if row.state.startswith("ready")]
    yield Finding("data sets", ", ".join(ready) or "none but those that come with mmix; see `mmix data list`")


_LOOKS: tuple[Callable[["Settings"], Iterator[Finding]], ...] = (
    _python,
    _folders,
    _database,
    _redis,
    _devices,
    _data,
)
