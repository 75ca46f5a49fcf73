"""A suite's table as LaTeX (booktabs)."""

from collections.abc import Iterator

from mmix.suites.display import shown, spread, unit
from mmix.suites.study import Json

_SPECIAL = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "±": r"$\pm$",
    "<": r"$<$",
    ">": r"$>$",
}
_HEADS = ("study", "arm", "metric", "measured", "$n$", "95\\,\\% interval", "verdict", "published", "$z$")


def latex(table: Json) -> str:
    """A tabular in which published figures are in italics; fractions are in per cent. It needs booktabs."""
    return "\n".join(_lines(table)) + "\n"


def escape(text: str) -> str:
    """The text as LaTeX prints it."""
    return "".join(_SPECIAL.get(letter, letter) for letter in text)


def _lines(table: Json) -> Iterator[str]:
    yield f"% {table['suite']}, version {table['version']}, {table['budget']} budget; needs \\usepackage{{booktabs}}"
    yield r"\begin{tabular}{lllrrllrr}"
    yield r"\toprule"
    yield " & ".join(_HEADS) + r" \\"
    last = None
    for row in table["rows"]:
        if row["study"] != last:
            yield r"\midrule"
        last = row["study"]
        yield from (" & ".join(cells) + r" \\" for cells in _cells(row))
    yield r"\bottomrule"
    yield r"\end{tabular}"


def _cells(row: Json) -> Iterator[list[str]]:
    metric = row["metric"]
    named = escape(metric) + (f" [{escape(unit(metric))}]" if unit(metric) else "")
    own = [
        escape(row["study"]),
        escape(row["arm"]),
        named,
        escape(spread(metric, row["mean"], row["std"])),
        str(row["n"]),
        _interval(metric, row["interval"]),
        "baseline" if row["baseline"] else row["difference"]["verdict"] if row["difference"] else "--",
    ]
    for place, found in enumerate(row["published"] or [None]):
        yield [*(own if place == 0 else [""] * len(own)), *_published(metric, found)]


def _published(metric: str, found: Json | None) -> list[str]:
    if found is None:
        return ["", ""]
    z = "--" if found["z"] is None else f"${found['z']:+.2f}$"
    return [rf"\textit{{{escape(spread(metric, found['value'], found['spread']))}}}", z]


def _interval(metric: str, bounds: list[float] | None) -> str:
    return "--" if bounds is None else f"[{shown(metric, bounds[0])}, {shown(metric, bounds[1])}]"
