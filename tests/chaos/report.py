"""What the full doses came to, as docs/faults.md."""

from collections.abc import Sequence
from pathlib import Path

from tests.chaos.campaign import Archive, Fault, Row

PATH = Path("docs/faults.md")

_TOP = """# Faults

mmix promises that whatever dies, freezes, forgets or repeats itself costs time and nothing else: a run that was
accepted ends as if nothing had happened, and once. `make chaos` breaks what it started itself, real processes with
leases of three seconds on a PostgreSQL and a Redis of their own, and balances the books against the database.

```
make chaos                          # the full dose, an hour and a half; the same command goes on after an interruption
make chaos DOSE=quick               # a few of each, also part of `make test`
make chaos ONLY="worker redis"      # some faults; SEED=7 draws other moments
make chaos DOSE=quick ONLY=freeze SABOTAGE=fence    # without a protection (or reaper, claim): it has to complain
```

**Lost** is a run that was accepted and isn't there, hasn't ended, has ended otherwise than it must, or has no
results; where nothing may change what it computes, also one whose results or whose weights differ in a single bit
from those of the same run undisturbed; and whatever didn't work again in time. **Doubled** is whatever was done twice
or by an attempt that no longer owned its run: two attempts that succeeded or overlapped, a run that ended twice, an
attempt more than harm was done, a row that was written after its attempt's end, a seed that counts twice, a key that
made two experiments. **Recovery** is the time from the blow until what was hit worked again: with leases of three
seconds a worker that died is noticed after three; the default lease is a minute.
"""

_BOTTOM = """
That the harness can fail is a test: without the fencing token, without the reaper and without the check of a claim,
which `SABOTAGE` switches off in the processes and in the database, it reports what is lost and what is doubled.
"""


def write(faults: Sequence[Fault], archive: Archive, path: Path = PATH) -> None:
    """Writes the report of what the archive has of full doses."""
    path.write_text(text([(fault, archive.kept(fault, dose="full")) for fault in faults]))


def text(found: Sequence[tuple[Fault, Row | None]]) -> str:
    """The report: every fault, and the row of its full dose where there is one."""
    given = [(fault, row) for fault, row in found if row is not None and not row.skipped and row.injected > 0]
    lines = [
        _TOP,
        f"{_machines([row for _, row in given])} Each row can be given by itself: `make chaos ONLY=worker SEED=2026`.",
        "",
        "| fault | what is done | injected | runs | lost | doubled | worst recovery [s] | date, seed |",
        "|---|---|---|---|---|---|---|---|",
        *(_line(fault, row) for fault, row in given),
        "",
        *_not_given(found),
        "",
        *_outcomes([row for _, row in given]),
    ]
    return "\n".join(lines).rstrip() + "\n" + _BOTTOM


def _line(fault: Fault, row: Row) -> str:
    cells = (row.fault, fault.told, row.injected, row.runs, row.lost, row.doubled, f"{row.worst_seconds:.1f}")
    return "| " + " | ".join([*map(str, cells), f"{row.date}, {row.seed}"]) + " |"


def _not_given(found: Sequence[tuple[Fault, Row | None]]) -> list[str]:
    """A line on each dose that was given in part or not at all."""
    waiting = ", ".join(fault.name for fault, row in found if row is None)
    return [
        *(f"- **{row.fault}** was skipped, {row.skipped}." for _, row in found if row is not None and row.skipped),
        *(
            f"- Of **{row.fault}** {row.injected} of {row.wanted} were given."
            for _, row in found
            if row is not None and not row.skipped and not row.done
        ),
        *([f"- Not given yet: {waiting}."] if waiting else []),
    ]


def _machines(rows: Sequence[Row]) -> str:
    machines = sorted({row.machine for row in rows})
    hours = sum(row.took_seconds for row in rows) / 3600
    return f"Machine: {'; '.join(machines) or 'none yet'}. All rows together took {hours:.1f} hours."


def _outcomes(rows: Sequence[Row]) -> list[str]:
    """What went wrong, in words; that nothing did, where nothing did."""
    bad = [row for row in rows if row.lost or row.doubled]
    if not bad:
        return ["In these doses nothing was lost and nothing was doubled."] if rows else []
    return ["What was lost or doubled:", "", *(f"- **{row.fault}**: {reason}" for row in bad for reason in row.reasons)]
