"""The leaderboard for spreadsheets and papers: CSV with fractions, Markdown and LaTeX (booktabs) with per cent."""

import csv
import io
from collections.abc import Iterator, Sequence

from api.rows import bounds, cost, masking
from api.sheets import Cell, Sheet
from mmix.spec.evaluation import is_attack
from mmix.store.leaderboard import Aggregate, Line
from mmix.suites.latex import escape

_GROUP = ("group", "label", "data", "model", "mixing", "epochs", "loss", "n")
_METRIC = ("mean", "std", "interval_low", "interval_high", "n", "best_seed", "best_value")
_COST = ("forward_backward_passes", "device_seconds")
_MASKING = ("masking_suspected", "masking_n")
_MARKS = {"≈": r"$^{\approx}$", "†": r"$^{\dagger}$", "‡": r"$^{\ddagger}$"}


def comma_separated(chunks: Iterator[list[Line]], *, metrics: Sequence[str]) -> Iterator[str]:
    """The groups as CSV, some at a time, each metric in columns of its own; an empty cell isn't known."""
    attacked = any(map(is_attack, metrics))
    named = [f"{metric}.{part}" for metric in metrics for part in _METRIC]
    yield _csv([[*_GROUP, *named, *_COST, *(_MASKING if attacked else ())]])
    for lines in chunks:
        yield _csv([_cells(line, metrics, attacked=attacked) for line in lines])


def markdown(sheet: Sheet) -> str:
    """The sheet as a table in Markdown."""
    rows = [list(sheet.heads), ["---"] * len(sheet.heads), *(list(map(_in_markdown, row)) for row in sheet.rows)]
    return "\n".join([*("| " + " | ".join(row) + " |" for row in rows), "", *sheet.notes]) + "\n"


def latex(sheet: Sheet) -> str:
    """The sheet as a tabular, which needs booktabs."""
    lines = [
        r"% needs \usepackage{booktabs}",
        rf"\begin{{tabular}}{{{'l' * sheet.words}{'r' * (len(sheet.heads) - sheet.words)}}}",
        r"\toprule",
        " & ".join(map(_printed, sheet.heads)) + r" \\",
        r"\midrule",
        *(" & ".join(map(_in_latex, row)) + r" \\" for row in sheet.rows),
        r"\bottomrule",
        rf"\multicolumn{{{len(sheet.heads)}}}{{l}}{{\footnotesize {_printed(' '.join(sheet.notes))}}} \\",
        r"\end{tabular}",
    ]
    return "\n".join(lines) + "\n"


def _csv(rows: Sequence[Sequence[object]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


def _cells(line: Line, metrics: Sequence[str], *, attacked: bool) -> list[object]:
    took = cost(line)
    masked = masking(line) or {"suspected": None, "n": None}
    return [
        *(line.group, line.label, line.data, line.model, line.mixing, line.epochs, line.loss, line.n),
        *(cell for metric in metrics for cell in _metric(line.metrics.get(metric))),
        *(took[name] for name in _COST),
        *(masked.values() if attacked else ()),
    ]


def _metric(found: Aggregate | None) -> Sequence[object]:
    if found is None:
        return (None,) * len(_METRIC)
    low, high = bounds(found) or (None, None)
    seed, value = (found.best.seed, found.best.value) if found.best is not None else (None, None)
    return found.mean, found.std, low, high, found.n, seed, value


def _in_markdown(cell: Cell) -> str:
    text = cell.text.replace("|", "\\|")
    around = {"plain": "", "bold": "**", "italic": "*"}[cell.face] if text else ""
    return f"{around}{text}{around}{cell.marks}"


def _in_latex(cell: Cell) -> str:
    text = _printed(cell.text)
    command = {"plain": None, "bold": "textbf", "italic": "textit"}[cell.face] if text else None
    return (text if command is None else rf"\{command}{{{text}}}") + _printed(cell.marks)


def _printed(text: str) -> str:
    return "".join(_MARKS.get(letter, escape(letter)) for letter in text)
