"""A suite's table as Markdown."""

from collections.abc import Iterator

from mmix.suites.display import heading, interval, shown, spread
from mmix.suites.study import Json

_HEADS = (
    "study",
    "arm",
    "metric",
    "measured",
    "n",
    "95 % interval",
    "against the baseline",
    "published",
    "z",
    "same setting, budget",
)


def markdown(table: Json) -> str:
    """The table's document in Markdown; fractions are in per cent."""
    return "\n".join(_lines(table)) + "\n"


def _lines(table: Json) -> Iterator[str]:
    yield f"## {table['suite']}, {table['budget']} budget"
    yield ""
    yield f"What is asked: {table['summary']}. Source: {table['source']}. ± is the standard deviation over n units."
    yield ""
    yield from _grid(_HEADS, [cells for row in table["rows"] for cells in row_cells(row)])
    missing = [study for study in table["studies"] if study["ended"] < study["runs"]]
    for study in missing:
        yield f"- {study['study']}: {study['ended']} of {study['runs']} runs have ended"
    if missing:
        yield ""
    if table["claims"]:
        yield "### Claims"
        yield ""
        yield from _grid(("claim", "where", "verdict", "evidence"), [_claim(claim) for claim in table["claims"]])


def row_cells(row: Json) -> Iterator[tuple[str, ...]]:
    """The row's cells: a line for each published figure, or one."""
    metric = row["metric"]
    own = (
        row["study"],
        row["arm"],
        heading(metric),
        spread(metric, row["mean"], row["std"]),
        str(row["n"]),
        interval(metric, row["interval"]),
        against(row),
    )
    for place, found in enumerate(row["published"] or [None]):
        yield (*(own if place == 0 else ("",) * len(own)), *published(metric, found))


def against(row: Json) -> str:
    """The difference from the baseline and its verdict."""
    if row["baseline"]:
        return "baseline"
    found = row["difference"]
    return (
        "-" if found is None or found["mean"] is None else f"{shown(row['metric'], found['mean'])}, {found['verdict']}"
    )


def published(metric: str, found: Json | None) -> tuple[str, str, str]:
    """A published figure, its z, and whether setting and budget are the same."""
    if found is None:
        return "", "", ""
    difference = f" against {found['difference_from']}" if found["difference_from"] else ""
    mark = " (?)" if found["suspicious"] else ""
    told = f"{spread(metric, found['value'], found['spread'])}{difference}{mark}: {found['source']}, {found['locator']}"
    z = "-" if found["z"] is None else f"{found['z']:+.2f} ({found['measured_selection']})"
    return f"{told} ({found['selection']})", z, f"{_yes(found['same_setting'])}, {_yes(found['same_budget'])}"


def _claim(claim: Json) -> tuple[str, ...]:
    where = "; ".join(f"{place['document']}, {place['place']}" for place in claim["places"])
    return f"{claim['id']}: {claim['says']}", where, f"**{claim['verdict']}**", claim["evidence"]


def _grid(heads: tuple[str, ...], rows: list[tuple[str, ...]]) -> Iterator[str]:
    yield _line(heads)
    yield _line(("---",) * len(heads))
    yield from (_line(row) for row in rows)
    yield ""


def _line(cells: tuple[str, ...]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _yes(found: bool) -> str:
    return "yes" if found else "no"
