"""The environment, read once by a door and passed inwards."""

import os
from pathlib import Path

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from mmix.errors import SetupError


class Settings(BaseSettings):
    """What the environment says, as `MMIX_<NAME>`; times in seconds."""

    model_config = SettingsConfigDict(env_prefix="MMIX_", env_ignore_empty=True, frozen=True, extra="ignore")

    home: Path = Field(default_factory=lambda: Path.home() / ".mmix")
    database_url: str | None = None
    redis_url: str | None = None
    data: Path | None = None
    artifacts: str | None = None
    scratch: Path | None = None
    url: str = "http://127.0.0.1:8000"
    api_key: str | None = None

    lease_seconds: float = Field(60, gt=0)
    renewal_seconds: float = Field(10, gt=0)
    grace_seconds: float = Field(60, ge=0)
    hint_seconds: float = Field(30, gt=0)
    poll_seconds: float = Field(1, gt=0)

    slots: int | None = Field(None, ge=1, le=256)
    threads: int | None = Field(None, ge=1, le=256)
    fake_gpus: int | None = Field(None, ge=1, le=64)
    nursery: bool = True

    @property
    def data_folder(self) -> Path:
        """Where data sets lie on this machine."""
        return self.data or self.home / "data"

    @property
    def artifacts_place(self) -> str:
        """Where checkpoints and artifacts lie, shared by all workers: an absolute folder, or a URL for fsspec."""
        place = self.artifacts or str(self.home / "artifacts")
        return place.rstrip("/") if "://" in place else str(Path(place).resolve())

    @property
    def scratch_folder(self) -> Path:
        """Where this machine's attempts keep what nobody else needs."""
        return self.scratch or self.home / "scratch"

    @property
    def cores(self) -> int:
        """How many processor cores this process may use."""
        return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1

    def sqlalchemy_url(self) -> str:
        """The database's address with the psycopg 3 driver named.

        Raises: SetupError where MMIX_DATABASE_URL is not set or is not PostgreSQL's.
        """
        if self.database_url is None:
            raise SetupError("MMIX_DATABASE_URL is not set: set it, or let `mmix up` start an embedded PostgreSQL")
        scheme, separator, rest = self.database_url.partition("://")
        if not separator or scheme.split("+")[0] not in {"postgresql", "postgres"}:
            raise SetupError(f"MMIX_DATABASE_URL begins with {scheme!r}: it must begin with 'postgresql://'")
        return f"postgresql+psycopg://{rest}"

    def broker_url(self) -> str:
        """The broker's address.

        Raises: SetupError where MMIX_REDIS_URL is not set.
        """
        if self.redis_url is None:
            raise SetupError("MMIX_REDIS_URL is not set: set it, or let `mmix up` start an embedded Redis")
        return self.redis_url


def load() -> Settings:
    """Reads the settings from the environment.

    Raises: SetupError that names the variable, what it holds and what it may hold.
    """
    try:
        return Settings()
    except ValidationError as error:
        first = error.errors()[0]
        name = "MMIX_" + "_".join(str(part) for part in first["loc"]).upper()
        raise SetupError(f"{name} is {first['input']!r}: {first['msg'].lower()}") from None
