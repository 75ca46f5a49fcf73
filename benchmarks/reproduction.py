"""What a service's suites have come to: every claim with its verdict, and a page of measurements a suite.

`python -m benchmarks.reproduction [--out docs/reproduction.md]` trains nothing. It reads the tables of the embedded
service of MMIX_HOME, or of the one at --url; `mmix suite run NAME --budget BUDGET --local` is what fills them.
"""

import argparse
import re
import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.bench import machine
from benchmarks.pictures import Picture, draw
from mmix.cli.experiments import local_client
from mmix.client import Client
from mmix.suites.catalogue import SUITES
from mmix.suites.claims import CLAIMS
from mmix.suites.markdown import markdown, row_cells
from mmix.suites.study import BUDGETS, Json

DOCUMENT = Path("docs/reproduction.md")
WORDS = ("reproduced", "not reproduced", "not resolved", "not run")
ABOUT = """# Reproduction

Every sentence of four documents that holds a number or a direction is a claim here, in our words, with the rule that
judges it: the slides and the abstract of *Manifold Mixup*, its page in an encyclopaedia of methods, and the ConfMix
manuscript; the paper's tables add theirs. A claim is "reproduced" or "not reproduced" where its rule comes out so at
5 %, "not resolved" where the runs can't tell, and "not run" with the reason. What is reported is the last epoch. A
`quick` budget fits two CPU cores in ten minutes: smaller networks, fewer images and fewer epochs than the papers', so
that its verdict is on the claim's direction in that setting and says nothing about a published figure.
[statistics.md](statistics.md) says how the numbers are computed. CIFAR-10 was a sample of it: 10,000
training images, of which a `quick` budget takes 5,000, and 2,000 test images.
"""


@dataclass(frozen=True)
class Ran:
    """A table with results, and what of it can be seen at a glance."""

    table: Json

    @property
    def command(self) -> str:
        return f"mmix suite run {self.table['suite']} --budget {self.table['budget']} --local"

    @property
    def page(self) -> str:
        return f"{self.table['suite']}-{self.table['budget']}.md"


def main() -> None:
    """Writes the document, and its pages into the folder of the same name."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.reproduction", description=__doc__)
    parser.add_argument("--out", type=Path, default=DOCUMENT)
    parser.add_argument("--url", help="a service that runs, instead of the embedded one")
    asked = parser.parse_args()
    folder = asked.out.with_suffix("")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    with _client(asked.url) as client:
        ran = list(_tables(client))
        drawn = list(draw({each.table["suite"]: each.table for each in ran}, url=client.url, folder=folder))
    for each in ran:
        (folder / each.page).write_text(_as_page(markdown(each.table), each))
    asked.out.write_text("\n".join(document(ran, drawn, folder=folder.name)))


def document(ran: Sequence[Ran], drawn: Sequence[Picture], *, folder: str) -> Iterator[str]:
    """The lines of the document."""
    claims = {claim["id"]: (claim, each) for each in ran for claim in each.table["claims"]}
    yield ABOUT
    yield f"{machine()}; {datetime.now(UTC):%B %Y}. `python -m benchmarks.reproduction` writes this from what has run."
    yield ""
    yield from _summary(ran, claims)
    for each in ran:
        yield from _suite(each, folder)
        for picture in drawn:
            if picture.suite == each.table["suite"]:
                yield picture.says
                yield ""
                yield f"![{picture.says}]({folder}/{picture.file})"
                yield ""
    yield "## Claims"
    yield ""
    yield "| claim | where | verdict | evidence | from |"
    yield "|---|---|---|---|---|"
    for claim in CLAIMS:
        yield _claim(claim.id, claims, folder)
    yield ""


def _client(url: str | None) -> AbstractContextManager[Client]:
    return local_client() if url is None else Client(url)


def _tables(client: Client) -> Iterator[Ran]:
    """Of each suite the largest budget with results; one of those without any, for the reasons of its claims."""
    for suite in SUITES:
        found = [_ended(client.suite_table(suite.name, budget=budget)) for budget in BUDGETS]
        yield Ran(next((table for table in reversed(found) if table["rows"]), found[0]))


def _ended(table: Json) -> Json:
    """The table with the rows of studies all of whose runs have ended, and pools only where that holds for all.

    Arms of which one has had the easy problems alone would stand beside arms that have had them all.
    """
    ended = {study["study"]: study["ended"] == study["runs"] for study in table["studies"]}
    return {**table, "rows": [row for row in table["rows"] if ended.get(row["study"], all(ended.values()))]}


def _summary(ran: Sequence[Ran], claims: dict[str, tuple[Json, Ran]]) -> Iterator[str]:
    counts = Counter(claim["verdict"] for claim, _ in claims.values())
    yield f"{len(CLAIMS)} claims: " + ", ".join(f"{counts[word]} {word}" for word in WORDS) + "."
    yield ""
    missing = [each.table["suite"] for each in ran if not each.table["rows"]]
    if missing:
        yield f"Nothing of these has run on this machine yet: {', '.join(missing)}."
        yield ""


def _suite(each: Ran, folder: str) -> Iterator[str]:
    """The rows of the metric that decides each study; the page has the others."""
    table = each.table
    if not table["rows"]:
        return
    decisive = {study["study"]: study["metric"] for study in table["studies"]}
    pooled = next(iter(decisive.values()))
    rows = [row for row in table["rows"] if decisive.get(row["study"], pooled) == row["metric"]]
    unfinished = [study["study"] for study in table["studies"] if study["ended"] < study["runs"]]
    yield f"## {table['suite']}: {table['summary']}"
    yield ""
    yield f"`{each.command}`; [all metrics and published figures]({folder}/{each.page})."
    yield ""
    if unfinished:
        yield f"Not finished, and not shown: {', '.join(unfinished)}."
        yield ""
    yield "| study | arm | metric | measured | n | 95 % interval | against the baseline |"
    yield "|---|---|---|---|---|---|---|"
    yield from ("| " + " | ".join(next(row_cells(row))[:7]) + " |" for row in rows)
    yield ""


def _claim(name: str, claims: dict[str, tuple[Json, Ran]], folder: str) -> str:
    claim, ran = claims[name]
    where = "; ".join(f"{place['document']}, {place['place']}" for place in claim["places"])
    page = f"[{ran.table['suite']}]({folder}/{ran.page})"
    cells = (f"{name}: {claim['says']}", where, f"**{claim['verdict']}**", claim["evidence"], page)
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _as_page(written: str, each: Ran) -> str:
    head = f"`{each.command}`" if each.table["rows"] else "Nothing of it has run on this machine."
    return re.sub(r"\A## (.*)\n", rf"# \1\n\n{head}\n", written)


if __name__ == "__main__":
    main()
