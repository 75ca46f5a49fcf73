"""Specs from a base and lists of values for some of its places."""

import itertools
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, get_args

from mmix.spec.part import PartName

Json = Any


def combinations(base: Mapping[str, Json], grid: Mapping[str, Sequence[Json]]) -> Iterator[tuple[str, dict[str, Json]]]:
    """A label and a document for each combination of the grid's values, the last place changing fastest.

    base: a whole spec as JSON data, with its defaults. grid: values by their place, as `mixing.alpha` or `mixing`.
    """
    names = _names(list(grid))
    for values in itertools.product(*grid.values()):
        chosen = dict(zip(grid, values, strict=True))
        label = " ".join(_said(names[place], value) for place, value in chosen.items())
        document = dict(base)
        for place in sorted(chosen):  # a part before its fields
            document = _put(document, place.split("."), chosen[place])
        yield label, document


def missing(base: Mapping[str, Json], place: str) -> list[str] | None:
    """What may be named where the base has no such place; None where it has."""
    found: Json = base
    allowed: list[str] = [*get_args(PartName)]
    for name in place.split("."):
        if name not in allowed:
            return allowed
        found = found[name]
        allowed = [*found] if isinstance(found, dict) else []
    return None


def _names(places: Sequence[str]) -> dict[str, str]:
    """The last word of each place where that tells it from the others; nothing for a whole part."""
    lasts = Counter(place.rpartition(".")[2] for place in places)
    return {place: "" if "." not in place else _short(place, lasts) for place in places}


def _short(place: str, lasts: Counter[str]) -> str:
    last = place.rpartition(".")[2]
    return last if lasts[last] == 1 else place


def _said(name: str, value: Json) -> str:
    if isinstance(value, dict) and "kind" in value:
        settings = [f"{key}={_json(each)}" for key, each in value.items() if key != "kind"]
        value_said = " ".join([str(value["kind"]), *settings])
    else:
        value_said = _json(value)
    return f"{name}={value_said}" if name else value_said


def _json(value: Json) -> str:
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))


def _put(document: Mapping[str, Json], place: Sequence[str], value: Json) -> dict[str, Json]:
    """The document with this value at this place; what lies elsewhere is shared with the old one."""
    name, *further = place
    return {**document, name: _put(document[name], further, value) if further else value}
