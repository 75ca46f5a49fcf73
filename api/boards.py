"""What may be asked of the leaderboard: filters, metrics, order, page and format."""

import base64
import binascii
import json
import math
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Self

from fastapi.exceptions import RequestValidationError
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from api.schemas import MetricName, Tag
from mmix.comparison.sample import Interval
from mmix.spec.evaluation import METRICS
from mmix.spec.facets import facet, fields, is_name_of_data, names_of_data
from mmix.store.leaderboard import After, Filters

Format = Literal["json", "csv", "markdown", "latex"]
MEDIA_TYPES: dict[Format, str] = {
    "json": "application/json",
    "csv": "text/csv",
    "markdown": "text/markdown",
    "latex": "application/x-latex",
}
MOST = 200
"""Rows of a page."""


def _refused(kind: str, message: str, *, given: object, allowed: str, **more: object) -> PydanticCustomError:
    return PydanticCustomError(kind, message, {"given": given, "allowed": allowed, **more})


def _data(name: str) -> str:
    if not is_name_of_data(name):
        allowed = f"{', '.join(names_of_data())}, folder:<name>"
        raise _refused("data", "There is no data set of this name", given=name, allowed=allowed)
    return name


def _facet(path: str, given: str) -> str:
    try:
        return facet(path, given)
    except ValueError:
        message = f"No spec has this in {path}"
        raise _refused("value", message, given=given, allowed=fields()[path].allowed()) from None


def _of(path: str) -> AfterValidator:
    return AfterValidator(lambda given: _facet(path, given))


def _word(path: str) -> AfterValidator:
    """The value as it is, where a spec may hold it."""
    return AfterValidator(lambda given: _facet(path, given).partition("=")[2])


def _where(given: str) -> str:
    path, colon, value = given.partition(":")
    if not colon or path not in fields():
        message = "A condition is FIELD:VALUE, with a field that specs have"
        raise _refused("where", message, given=given, allowed=", ".join(fields()))
    return _facet(path, value)


Value = Annotated[str, Field(max_length=200)]
Kind = Annotated[str, Field(max_length=64)]


class MixingFilters(BaseModel):
    """Parameters of the mixing method, as they stand in a spec; layers with commas between them."""

    alpha: Annotated[Value, _of("mixing.alpha")] | None = None
    layers: Annotated[Value, _of("mixing.layers")] | None = None
    layers_per_batch: Annotated[Value, _of("mixing.layers_per_batch")] | None = None
    sharing: Annotated[Value, _of("mixing.sharing")] | None = None
    pairing: Annotated[Value, _of("mixing.pairing")] | None = None
    stop_gradient: Annotated[Value, _of("mixing.stop_gradient")] | None = None
    warmup_epochs: Annotated[Value, _of("mixing.warmup_epochs")] | None = None
    scale: Annotated[Value, _of("mixing.scale")] | None = None
    confidence: Annotated[Value, _of("mixing.confidence")] | None = None
    probability: Annotated[Value, _of("mixing.probability")] | None = None
    size: Annotated[Value, _of("mixing.size")] | None = None
    smoothing: Annotated[Value, _of("mixing.smoothing")] | None = None


class LeaderboardQuery(MixingFilters):
    """Which groups to list, in which order, with which metrics, and how.

    Filters choose groups, never seeds: what is told of a group is of all its seeds. `where` is FIELD:VALUE for any
    field of a spec, as `training.optimiser.lr:0.1`. A group has the tags and owners of all its experiments, and as
    `device` every kind that its counted runs were made on.
    """

    model_config = ConfigDict(extra="forbid")

    data: Annotated[Value, AfterValidator(_data)] | None = None
    model: Annotated[Kind, _word("model.kind")] | None = None
    mixing: Annotated[Kind, _word("mixing.kind")] | None = None
    loss: Annotated[Kind, _word("training.loss")] | None = None
    epochs: Annotated[int, Field(ge=1, le=100_000)] | None = None
    tag: Annotated[list[Tag], Field(max_length=16)] = []
    owner: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$")] | None = None
    device: Literal["cpu", "cuda"] | None = None
    where: Annotated[list[Annotated[Value, AfterValidator(_where)]], Field(max_length=16)] = []
    min_n: Annotated[int, Field(ge=1, le=1_000_000)] = 1
    metric: Annotated[list[MetricName], Field(max_length=64)] = []
    sort: MetricName = METRICS[0]
    selection: Literal["last", "median_of_last_ten", "best_on_test"] = "last"
    published: bool = False
    format: Format | None = None
    limit: Annotated[int, Field(ge=1, le=MOST)] | None = None
    cursor: Annotated[str, Field(max_length=400)] | None = None

    @model_validator(mode="before")
    @classmethod
    def _knows_its_filters(cls, given: Any) -> Any:
        unknown = [name for name in given if name not in cls.model_fields] if isinstance(given, dict) else []
        if unknown:
            allowed = ", ".join(cls.model_fields)
            message = "The leaderboard has no parameter of this name"
            raise _refused("parameter", message, given=given[unknown[0]], allowed=allowed, field=unknown[0])
        return given

    @model_validator(mode="after")
    def _csv_has_no_published_figures(self) -> Self:
        if self.published and self.format == "csv":
            raise _refused(
                "published",
                "A CSV has measured rows alone",
                given="true",
                allowed="false, or another format: json, markdown, latex",
                field="published",
            )
        return self

    def filters(self) -> Filters:
        """What a group must be."""
        told = [getattr(self, name) for name in MixingFilters.model_fields]
        words = [
            *(word for word in told if word is not None),
            *self.where,
            *(f"tag={tag}" for tag in self.tag),
            *([f"owner={self.owner}"] if self.owner is not None else []),
            *([f"device={self.device}"] if self.device is not None else []),
        ]
        return Filters(
            data=self.data,
            model=self.model,
            mixing=self.mixing,
            epochs=self.epochs,
            loss=self.loss,
            facets=tuple(dict.fromkeys(words)),
            min_n=self.min_n,
        )


@dataclass(frozen=True)
class Cursor:
    """Where a page begins, after which group; and the intervals of the best of all and of that group."""

    after: After
    best: Interval | None
    previous: Interval | None

    def told(self) -> str:
        """The cursor as a client sees it."""
        parts = [self.after.mean, self.after.digest, self.best, self.previous]
        return base64.urlsafe_b64encode(json.dumps(parts).encode()).decode()


def read(cursor: str) -> Cursor:
    """What a cursor says.

    Raises: RequestValidationError where it was never one of ours.
    """
    try:
        mean, digest, best, previous = json.loads(base64.urlsafe_b64decode(cursor.encode()))
        if isinstance(digest, str) and digest.isalnum():
            return Cursor(After(mean=_finite(mean), digest=digest), _interval(best), _interval(previous))
    except (binascii.Error, ValueError, TypeError, OverflowError, RecursionError):
        pass
    told = {"allowed": "the `next` of the page before", "given": cursor}
    error = {"type": "cursor", "loc": ("query", "cursor"), "msg": "This is no cursor", "input": cursor, "ctx": told}
    raise RequestValidationError([error])


def _interval(given: Any) -> Interval | None:
    if given is None:
        return None
    low, high = given
    return _finite(low), _finite(high)


def _finite(given: Any) -> float:
    if not isinstance(given, float | int) or not math.isfinite(given):
        raise ValueError(given)
    return float(given)


def format_of(query: LeaderboardQuery, accept: str | None) -> Format:
    """The format that is asked for by name, else the first one that is acceptable, else JSON."""
    if query.format is not None:
        return query.format
    wanted = [part.partition(";")[0].strip() for part in (accept or "").split(",")]
    known: dict[str, Format] = {media_type: name for name, media_type in MEDIA_TYPES.items()}
    return next((known[each] for each in wanted if each in known), "json")
