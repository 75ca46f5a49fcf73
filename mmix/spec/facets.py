"""What groups of runs can be chosen by: each field of a spec with its value, in words like `mixing.alpha=2`."""

import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from pydantic import BaseModel, TypeAdapter

from mmix.spec.data import Folder, name_of
from mmix.spec.experiment import ExperimentSpec
from mmix.spec.part import Part

_SETS = ("mixing.layers", "evaluation.artifacts")  # what a spec keeps sorted may be asked for in any order


@dataclass(frozen=True)
class Field:
    """What may stand in one field of a spec: some words, a number, any text, or several of them."""

    words: tuple[str, ...]
    number: bool
    text: bool
    several: bool

    def allowed(self) -> str:
        """What may stand here, in words."""
        kinds = [*self.words, *(["a number"] if self.number else []), *(["any text"] if self.text else [])]
        told = ", ".join(kinds)
        return f"{told}; several with commas between them" if self.several else told


def facets(spec: ExperimentSpec) -> tuple[str, ...]:
    """Each field of the spec with its value, also where that is the default; of a list of parts, those of each."""
    return tuple(sorted(facets_of_parts({name: getattr(spec, name) for name in _readers()})))


def facets_of(document: Mapping[str, Any]) -> tuple[str, ...]:
    """The facets of a spec that is stored in its canonical form.

    Raises: ValidationError where a part of it can't be read.
    """
    return tuple(sorted(facets_of_parts(parts_of(document))))


def parts_of(document: Mapping[str, Any]) -> dict[str, Any]:
    """The parts of a spec that is stored in its canonical form, fast: what is checked across parts, isn't.

    Raises: ValidationError where a part can't be read.
    """
    return {name: _part(name, json.dumps(document.get(name, {}))) for name in _readers()}


def facets_of_parts(parts: Mapping[str, Any]) -> set[str]:
    """The facets of a spec with these parts."""
    return {f"data={name_of(parts['data'])}"}.union(*(_of_part(name, part) for name, part in parts.items()))


def facet(path: str, given: str) -> str:
    """The facet that a group has whose spec holds this value in this field.

    Raises: LookupError where specs have no such field; ValueError where it never holds such a value.
    """
    field = fields()[path]
    if not field.several:
        return f"{path}={_read(field, given)}"
    values = [_read(field, each.strip()) for each in given.split(",")] if given else []
    return f"{path}={','.join(sorted(set(values), key=_order) if path in _SETS else values)}"


@cache
def fields() -> dict[str, Field]:
    """Every field that a spec of some kind has, by its path, with what may stand in it."""
    found: dict[str, list[Field]] = {}
    for name, part in ExperimentSpec.model_fields.items():
        if name != "version":
            for path, field in _fields_of(name, part.annotation, several=False):
                found.setdefault(path, []).append(field)
    return {path: _joined(same) for path, same in sorted(found.items())}


def kinds_with(paths: Iterable[str]) -> dict[Literal["model", "mixing"], tuple[str, ...]]:
    """The only kinds of models, and of mixing methods, that have all of these fields; none where any kind will do."""
    found: dict[Literal["model", "mixing"], tuple[str, ...]] = {}
    asked = set(paths)
    for part in ("model", "mixing"):
        wanted = {path for path in asked if path.startswith(f"{part}.")}
        if wanted:
            found[part] = tuple(kind for kind, known in _fields_by_kind(part).items() if wanted <= known)
    return found


@cache
def _fields_by_kind(part: Literal["model", "mixing"]) -> dict[str, frozenset[str]]:
    union = get_args(get_type_hints(ExperimentSpec)[part])
    return {
        get_args(member.model_fields["kind"].annotation)[0]: frozenset(
            path for path, _ in _fields_of(part, member, several=False)
        )
        for member in union
    }


@cache
def names_of_data() -> tuple[str, ...]:
    """The names of data sets; those of folders are their owners' own."""
    return tuple(name for name in fields()["data.kind"].words if name != "folder")


def is_name_of_data(name: str) -> bool:
    """Whether a data set could have this name."""
    if name in names_of_data():
        return True
    kind, _, own = name.partition(":")
    try:
        return kind == "folder" and bool(Folder(kind="folder", name=own))
    except ValueError:
        return False


@cache
def _readers() -> dict[str, TypeAdapter[Any]]:
    """What reads each part of a spec."""
    hints = get_type_hints(ExperimentSpec, include_extras=True)
    return {name: TypeAdapter(hints[name]) for name in ExperimentSpec.model_fields if name != "version"}


@lru_cache(maxsize=10_000)  # many specs have the same parts, and to read one takes forty times as long
def _part(name: str, text: str) -> Any:
    return _readers()[name].validate_json(text)


@lru_cache(maxsize=10_000)  # the arms of a comparison differ in few parts
def _of_part(name: str, part: Part) -> tuple[str, ...]:
    return tuple(_flat(name, part.model_dump(mode="json")))


def _flat(path: str, value: Any) -> Iterator[str]:
    match value:
        case dict():
            for name, inner in value.items():
                yield from _flat(f"{path}.{name}" if path else name, inner)
        case list() if value and isinstance(value[0], dict):
            for inner in value:
                yield from _flat(path, inner)
        case list():
            yield f"{path}={','.join(map(_word, value))}"
        case _:
            yield f"{path}={_word(value)}"


def _word(value: object) -> str:
    """A value as it is written in a facet: one number in one way, whether it is written 2 or 2.0."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool) or value is None:
        return json.dumps(value)
    assert isinstance(value, int | float)
    return repr(float(value)).removesuffix(".0")


def _read(field: Field, given: str) -> str:
    if given in field.words:
        return given
    if field.number:
        try:
            return _word(_finite(given))
        except ValueError:
            if not field.text:
                raise
    if field.text:
        return given
    raise ValueError(given)


def _finite(given: str) -> float:
    found = float(given)
    if not math.isfinite(found):
        raise ValueError(given)
    return found


def _order(word: str) -> tuple[float, str]:
    try:
        return float(word), ""
    except ValueError:
        return 0.0, word


def _fields_of(path: str, kind: Any, *, several: bool) -> Iterator[tuple[str, Field]]:
    origin = get_origin(kind)
    if origin is Annotated:
        yield from _fields_of(path, get_args(kind)[0], several=several)
    elif origin in (Union, UnionType):
        for member in get_args(kind):
            yield from _fields_of(path, member, several=several)
    elif origin is tuple:
        for member in get_args(kind):
            if member is not Ellipsis:
                yield from _fields_of(path, member, several=True)
    elif isinstance(kind, type) and issubclass(kind, BaseModel):
        for name, part in kind.model_fields.items():
            yield from _fields_of(f"{path}.{name}", part.annotation, several=False)
    else:
        yield path, _leaf(kind, several=several)


def _leaf(kind: Any, *, several: bool) -> Field:
    words: Sequence[object] = ()
    if get_origin(kind) is Literal:
        words = get_args(kind)
    elif kind is bool:
        words = (True, False)
    elif kind is NoneType:
        words = (None,)
    return Field(tuple(map(_word, words)), number=kind in (int, float), text=kind is str, several=several)


def _joined(same: Sequence[Field]) -> Field:
    """What may stand in a field that several kinds have."""
    return Field(
        words=tuple(dict.fromkeys(word for each in same for word in each.words)),
        number=any(each.number for each in same),
        text=any(each.text for each in same),
        several=any(each.several for each in same),
    )
