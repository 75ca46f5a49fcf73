"""Finds published figures."""

import hashlib
import json
from collections.abc import Iterable
from difflib import get_close_matches
from functools import cache
from pathlib import Path

from mmix.errors import NotFound, RecordsBroken
from mmix.spec.data import name_of
from mmix.spec.experiment import ExperimentSpec
from mmix.spec.model import Model
from mmix.suites.published.entry import Record, Source
from mmix.suites.published.sheets import FOLDER, entries, sheets


@cache
def records() -> tuple[Record, ...]:
    """All records, source by source, in the order of their tables.

    Raises: RecordsBroken where a file is none, or two records contradict each other.
    """
    return load(FOLDER)


@cache
def sources() -> tuple[Source, ...]:
    """All sources, by key."""
    return tuple(sorted((sheet.source for sheet in sheets()), key=lambda source: source.key))


def load(folder: Path) -> tuple[Record, ...]:
    """The records in the files of a folder.

    Raises: RecordsBroken
    """
    found = tuple(record for sheet in sheets(folder) for record in entries(sheet))
    _refuse_conflicts(found)
    return found


def record(id: str) -> Record:
    """The record of this id.

    Raises: NotFound, with the nearest ids.
    """
    by_id = _by_id()
    if id not in by_id:
        near = get_close_matches(id, by_id, n=3, cutoff=0)
        raise NotFound(f"no published record is called {id!r}; the nearest are {', '.join(near)}")
    return by_id[id]


def find(
    *,
    source: str | None = None,
    locator: str | None = None,
    data: str | None = None,
    model: Model | None = None,
    mixing: str | None = None,
    metric: str | None = None,
) -> tuple[Record, ...]:
    """The records for which all that is given holds.

    locator: its beginning. data, mixing: our names of the data set and of the kind of method.
    """
    return tuple(
        found
        for found in records()
        if source in (None, found.source)
        and found.locator.startswith(locator or "")
        and data in (None, found.data)
        and model in (None, found.model)
        and mixing in (None, found.mixing_kind)
        and metric in (None, found.metric)
    )


def matching(spec: ExperimentSpec, metric: str) -> tuple[Record, ...]:
    """The records of this metric with the spec's data, model and mixing; how it was trained may differ.

    Differences from a baseline are none of them: they belong beside differences.
    """
    return tuple(
        found
        for found in find(data=name_of(spec.data), model=spec.model, metric=metric)
        if found.mixing == spec.mixing and found.baseline is None
    )


def checksum(found: Iterable[Record]) -> str:
    """SHA-256 over all that the records say, as 64 hexadecimal digits."""
    text = json.dumps([each.document() for each in found], sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


@cache
def _by_id() -> dict[str, Record]:
    return {each.id: each for each in records()}


def _refuse_conflicts(found: Iterable[Record]) -> None:
    said: dict[str, Record] = {}
    for each in found:
        for key in (each.id, _question(each)):
            other = said.setdefault(key, each)
            if other is not each:
                raise RecordsBroken(
                    f"{each.citation}, {each.locator}: {other.id} says {_figure(other)} and {each.id} says "
                    f"{_figure(each)} about one and the same; keep one of them, or say how they differ"
                )


def _question(asked: Record) -> str:
    """What two records must not answer differently."""
    mixing = asked.mixing.model_dump_json() if asked.mixing else None
    return repr(
        (
            (asked.source, asked.locator, asked.data_words, asked.model_words, asked.method, mixing, asked.alpha),
            (asked.metric, asked.measure, asked.selection, asked.baseline, asked.setting.model_dump_json()),
        )
    )


def _figure(found: Record) -> str:
    return f"{found.original_value:g} [{found.original_unit}]"
