"""Whichever way leads to a page of the leaderboard, the page is the same, and the sample finds a short one."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from mmix.settings import Settings
from mmix.store import searches
from mmix.store.samples import Samples
from mmix.store.sessions import Sessions
from mmix.store.ways import FACETS, Chosen, Met, Part, Plan, Sample, Try, Way, plan
from tests.conftest import filled

GROUPS = 3_000
# Means depend on the data most of all, then on the model: a walk along all of them passes whole cells.
FILLED = """
INSERT INTO cells (data, model, mixing, epochs, loss)
    SELECT data, model, mixing, epochs, 'ce' FROM unnest('{digits,svhn,mnist}'::text[]) AS data,
        unnest('{mlp,convnet}'::text[]) AS model, unnest('{erm,cutmix}'::text[]) AS mixing,
        unnest('{10,20}'::int[]) AS epochs;
INSERT INTO groups (digest, spec, data, model, mixing, label, cell_id, facets)
    SELECT encode(sha256(n::text::bytea), 'hex'), '{}', data, model, mixing, 'l', id, ARRAY[
        'data=' || data, 'model.kind=' || model, 'mixing.kind=' || mixing, 'training.epochs=' || epochs,
        'training.loss=ce', 'tag=' || n % 7, 'tag=rare' || n % 500,
        'device=' || CASE n % 2 WHEN 0 THEN 'cpu' ELSE 'cuda' END
    ]
    FROM generate_series(1, :groups) AS n JOIN cells ON cells.id = 1 + n % 24;
INSERT INTO leaderboard (digest, metric, selection, n, mean, m2, cell_id, data, model, mixing, epochs, loss, facets)
    SELECT digest, 'error', 'last', 3 + hashtext(digest) % 3, cell_id + abs(hashtext(digest)) % 20 / 10.0, 0, cell_id,
        cells.data, cells.model, cells.mixing, epochs, loss, ARRAY(SELECT hashtext(word) FROM unnest(facets) AS word)
    FROM groups JOIN cells ON cells.id = cell_id
"""
EXPECTED = """
SELECT leaderboard.digest FROM leaderboard JOIN groups USING (digest)
WHERE groups.facets @> CAST(:words AS text[]) AND n >= :min_n AND (mean, leaderboard.digest) {after} (:mean, :digest)
ORDER BY mean {order}, leaderboard.digest {order} LIMIT 20
"""
IN_ORDER = {False: EXPECTED.format(after=">", order="ASC"), True: EXPECTED.format(after="<", order="DESC")}
FIRST = {False: (float("-inf"), ""), True: (float("inf"), "~")}


@pytest.fixture(scope="module")
def groups(servers: Settings, template: str) -> Iterator[Sessions]:
    """A leaderboard of so many groups."""
    with filled(servers, template, FILLED, groups=GROUPS) as made:
        yield made


def _chosen(**changes: Any) -> Chosen:
    given = {"cell": {}, "kinds": {}, "facets": (), "falling": False, "min_n": 1, "after": None, **changes}
    return Chosen(metric="error", selection="last", **given)


def _expected(session: Session, chosen: Chosen) -> list[str]:
    mean, digest = chosen.after or FIRST[chosen.falling]
    words = [*chosen.facets, *(f"{FACETS[part]}={value}" for part, value in chosen.cell.items())]
    values = {"words": words, "min_n": chosen.min_n, "mean": mean, "digest": digest}
    return list(session.scalars(text(IN_ORDER[chosen.falling]), values))


@pytest.mark.parametrize("falling", [False, True])
@pytest.mark.parametrize("after", [None, (11.5, "8")])
@pytest.mark.parametrize(
    ("cell", "facets", "min_n"),
    [
        ({}, (), 1),
        ({}, (), 5),
        ({}, ("tag=3",), 1),
        ({}, ("tag=rare77",), 1),
        ({"data": "mnist"}, (), 1),
        ({"mixing": "erm", "epochs": 20}, ("tag=1", "device=cuda"), 3),
        ({"data": "svhn", "model": "mlp", "mixing": "cutmix", "epochs": 10, "loss": "ce"}, (), 1),
        ({"data": "cifar10"}, (), 1),
        ({"data": "digits"}, ("tag=nobody's",), 1),
    ],
)
def test_all_ways_lead_to_the_same_page(
    groups: Sessions,
    cell: dict[Part, object],
    facets: tuple[str, ...],
    min_n: int,
    after: tuple[float, str] | None,
    falling: bool,
) -> None:
    chosen = _chosen(cell=cell, facets=facets, min_n=min_n, after=after, falling=falling)
    with groups.begin() as session:
        ways: tuple[Way, ...] = ("all", *cell, "cells", "numbers", "words", "counts")
        found: dict[str, list[str]] = {
            way: [row.digest for row in searches.along(session, way, chosen, limit=20)] for way in ways
        }
        found["the one taken"] = [row.digest for row in searches.best(session, chosen, Samples(), limit=20)]
        assert found == dict.fromkeys(found, _expected(session, chosen))


def test_a_walk_that_is_given_up_has_found_what_it_has_passed(groups: Sessions) -> None:
    with groups.begin() as session:
        chosen = _chosen(facets=("tag=3",))
        whole = searches.along(session, "all", chosen, limit=20)
        some = searches.along(session, "all", chosen, limit=20, most=60)
    assert 0 < len(some) < 20
    assert [row.digest for row in some] == [row.digest for row in whole[: len(some)]]


SVHN = _chosen(cell={"data": "svhn"})
# Of 200,000 groups, an eighth of them with this data, as a sample may find them.
ALL = Sample(walks={"all": Met(780, ())}, here=780, enough=780, hits=0, cells=2000)
SOME = replace(ALL, here=100, cells=50)


@pytest.mark.parametrize(
    ("sample", "chosen", "expected"),
    [
        # every second group, from the best on
        (replace(ALL, walks={"all": Met(780, (1, 3, 5, 7))}, hits=390), _chosen(facets=("device=cpu",)), Plan("all")),
        # all of these data, though all others are better
        (
            replace(SOME, walks={"all": Met(780, (681, 682, 683, 684)), "data": Met(100, (1, 2, 3, 4))}, hits=100),
            SVHN,
            Plan("data"),
        ),
        # a quarter of these data, and far down among them
        (
            replace(SOME, walks={"all": Met(780, (690, 700, 710, 720)), "data": Met(100, (60, 64, 68, 72))}, hits=25),
            SVHN,
            Plan("cells", Try("data", 400)),
        ),
        # none that the sample knows
        (
            replace(SOME, walks={"data": Met(100, ())}),
            _chosen(cell={"data": "svhn"}, facets=("tag=a",)),
            Plan("numbers"),
        ),
        (replace(ALL, enough=0), _chosen(min_n=20, facets=("owner=local",)), Plan("counts")),
    ],
)
def test_the_sample_tells_a_short_way(sample: Sample, chosen: Chosen, expected: Plan) -> None:
    assert plan(sample, chosen, limit=50) == expected


def test_of_a_few_groups_all_are_walked_along() -> None:
    sample = Sample(walks={"all": Met(0, ())}, here=0, enough=0, hits=0, cells=1)
    assert plan(sample, _chosen(facets=("tag=a",)), limit=50) == Plan("all")
