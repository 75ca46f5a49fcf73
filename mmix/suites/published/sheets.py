"""Reads the files of published figures, one a source."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import Field, TypeAdapter, ValidationError

from mmix.errors import RecordsBroken
from mmix.spec.evaluation import is_metric
from mmix.spec.mixing import Mixing
from mmix.spec.model import Model
from mmix.spec.part import Part, Real
from mmix.spec.problems import problems, sentence
from mmix.suites.published.entry import Record, Selection, Setting, Source, SpreadKind, Unit, Whole
from mmix.suites.published.units import is_fraction, ours, spread

FOLDER = Path(__file__).parent / "sources"
Key = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9.-]*$")]
Words = Annotated[str, Field(min_length=1)]
_P = TypeVar("_P", bound=Part)
_KINDS = frozenset(TypeAdapter(Mixing).json_schema()["discriminator"]["mapping"])


class Row(Part):
    """A figure as its file has it; `data`, `model` and `setting` are names within the file."""

    id: Key
    data: str
    model: str
    method: Words
    mixing: Mixing | None = None
    mixing_kind: str | None = None
    alpha: str | None = None
    metric: str | None = None
    measure: Words | None = None
    unit: Unit
    value: Real
    baseline: str | None = None
    spread: Annotated[Real, Field(ge=0)] | None = None
    spread_kind: SpreadKind | None = None
    n: Whole | None = None
    selection: Selection = "unknown"
    selection_source: str | None = None
    setting: str | None = None
    origin: Words = "own"
    verified: bool = True
    suspicious: str | None = None
    note: str | None = None


class Table(Part):
    """Rows of one place in a source; what they have in common is said once."""

    locator: Words
    common: Mapping[str, Any] = Field(default_factory=dict)
    rows: Annotated[tuple[dict[str, Any], ...], Field(strict=False)]


class Sheet(Part):
    """A file: a source with its tables, and what its words for data, models and settings mean to mmix."""

    key: Key
    citation: Words
    url: str | None
    data: Mapping[str, str | None]
    models: Mapping[str, Model | None]
    settings: Mapping[str, Setting] = Field(default_factory=dict)
    tables: Annotated[tuple[Table, ...], Field(strict=False)]

    @property
    def source(self) -> Source:
        """Who published all of this."""
        return Source(self.key, self.citation, self.url)


def sheets(folder: Path = FOLDER) -> list[Sheet]:
    """The sheets in a folder's JSON files, by name.

    Raises: RecordsBroken where one isn't what a sheet is.
    """
    return [_sheet(path) for path in sorted(folder.glob("*.json"))]


def entries(sheet: Sheet) -> Iterator[Record]:
    """The records of a sheet.

    Raises: RecordsBroken where a row says something that can't be.
    """
    for table in sheet.tables:
        for given in table.rows:
            merged = {**table.common, **given}
            row = _validated(Row, merged, place=f"{sheet.key}, {table.locator}, {merged.get('id', 'a row without id')}")
            _check(row, sheet)
            yield _record(row, sheet, table.locator)


def _sheet(path: Path) -> Sheet:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise RecordsBroken(f"{path} can't be read: {error}") from None
    return _validated(Sheet, document, place=path.name)


def _validated(kind: type[_P], document: Mapping[str, Any], *, place: str) -> _P:
    try:
        return kind.model_validate(document)
    except ValidationError as error:
        found = "; ".join(sentence(problem) for problem in problems(error.errors(), document))
        raise RecordsBroken(f"{place}: {found}") from None


def _check(row: Row, sheet: Sheet) -> None:
    """Raises: RecordsBroken with the first thing about the row that can't be."""
    value = ours(row.value, unit=row.unit, metric=row.metric)
    faults = {
        f"data {row.data!r} is not among the sheet's": row.data not in sheet.data,
        f"model {row.model!r} is not among the sheet's": row.model not in sheet.models,
        f"setting {row.setting!r} is not among the sheet's": row.setting not in {None, *sheet.settings},
        f"metric {row.metric!r} is none of mmix's": row.metric is not None and not is_metric(row.metric),
        "a row needs a metric or a measure in words": row.metric is None and row.measure is None,
        f"{value:g} is no fraction": is_fraction(row.unit) and not 0 <= value <= 1,
        "a difference in points needs a baseline": (row.unit == "points of accuracy") != (row.baseline is not None),
        "a spread and its kind belong together": (row.spread is None) != (row.spread_kind is None),
        "mixing says its kind itself": row.mixing is not None and row.mixing_kind is not None,
        f"mixing is one of {', '.join(sorted(_KINDS))}": not {row.mixing_kind, row.baseline} <= {None, *_KINDS},
    }
    for fault, there in faults.items():
        if there:
            raise RecordsBroken(f"{sheet.key}, {row.id}: {fault}")


def _record(row: Row, sheet: Sheet, locator: str) -> Record:
    return Record(
        id=row.id,
        source=sheet.key,
        citation=sheet.citation,
        url=sheet.url,
        locator=locator,
        data=sheet.data[row.data],
        data_words=row.data,
        model=sheet.models[row.model],
        model_words=row.model,
        method=row.method,
        mixing=row.mixing,
        mixing_kind=row.mixing.kind if row.mixing else row.mixing_kind,
        alpha=row.alpha,
        metric=row.metric,
        measure=row.measure or row.metric or "",
        selection=row.selection,
        selection_source=row.selection_source,
        value=ours(row.value, unit=row.unit, metric=row.metric),
        original_value=row.value,
        original_unit=row.unit,
        baseline=row.baseline,
        spread=None if row.spread is None else spread(row.spread, unit=row.unit),
        original_spread=row.spread,
        spread_kind=row.spread_kind,
        n=row.n,
        setting=sheet.settings[row.setting] if row.setting else Setting(),
        origin=row.origin,
        verified=row.verified,
        suspicious=row.suspicious,
        note=row.note,
    )
