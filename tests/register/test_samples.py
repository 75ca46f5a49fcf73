"""What a search is planned by: the sample tells what a walk along the standings would meet."""

from collections.abc import Iterator

import pytest

from mmix.settings import Settings
from mmix.store import samples
from mmix.store.samples import Samples, survey
from mmix.store.sessions import Sessions
from mmix.store.ways import Chosen, Met, Sample
from tests.conftest import filled

# Eight groups of the sample, with means from 0 to 7; those of svhn are 1, 4 and 7, and 4 to 7 are the author's.
FILLED = """
INSERT INTO cells (data, model, mixing, epochs, loss)
    SELECT data, 'mlp', 'erm', 10, 'ce' FROM unnest('{digits,svhn,mnist}'::text[]) AS data;
INSERT INTO groups (digest, spec, data, model, mixing, label, cell_id, facets)
    SELECT '00' || n, '{}', data, model, mixing, 'l', id, CASE WHEN n > 3 THEN '{owner=ann}'::text[] ELSE '{}' END
    FROM generate_series(0, 7) AS n JOIN cells ON cells.data = CASE WHEN n % 3 = 1 THEN 'svhn' ELSE 'digits' END;
INSERT INTO leaderboard (digest, metric, selection, n, mean, m2, cell_id, data, model, mixing, epochs, loss)
    SELECT digest, 'error', 'last', 1 + right(digest, 1)::int % 2, right(digest, 1)::int, 0, cell_id,
        cells.data, cells.model, cells.mixing, epochs, loss
    FROM groups JOIN cells ON cells.id = cell_id
"""


@pytest.fixture(scope="module")
def groups(servers: Settings, template: str) -> Iterator[Sessions]:
    """A leaderboard of eight groups."""
    with filled(servers, template, FILLED) as made:
        yield made


def _surveyed(groups: Sessions, **changes: object) -> Sample:
    given = {"cell": {}, "kinds": {}, "facets": (), "falling": False, "min_n": 1, "after": None, **changes}
    chosen = Chosen(metric="error", selection="last", **given)  # type: ignore[arg-type]
    with groups.begin() as session:
        return survey(Samples().of(session, metric="error", selection="last"), chosen)


def test_it_tells_as_which_of_those_on_a_walk_the_hits_are_met(groups: Sessions) -> None:
    found = _surveyed(groups, cell={"data": "svhn"}, facets=("owner=ann",))
    assert found == Sample(walks={"all": Met(8, (5, 8)), "data": Met(3, (2, 3))}, here=3, enough=8, hits=2, cells=1)


def test_a_walk_may_begin_anywhere_and_go_downwards(groups: Sessions) -> None:
    assert _surveyed(groups, facets=("owner=ann",), after=(4.0, "004")).walks == {"all": Met(3, (1, 2, 3))}
    assert _surveyed(groups, facets=("owner=ann",), after=(4.0, "0035")).walks == {"all": Met(4, (1, 2, 3, 4))}
    assert _surveyed(groups, facets=("owner=ann",), falling=True, after=(6.0, "006")).walks == {"all": Met(6, (1, 2))}


def test_only_groups_with_enough_seeds_are_hits(groups: Sessions) -> None:
    found = _surveyed(groups, min_n=2)
    assert (found.enough, found.hits, found.walks["all"]) == (4, 4, Met(8, (2, 4, 6, 8)))


def test_cells_are_counted_by_what_they_have_and_by_what_they_may_have(groups: Sessions) -> None:
    assert _surveyed(groups, cell={"model": "mlp"}).cells == 3
    assert _surveyed(groups, cell={"data": "cifar10"}).cells == 0
    assert _surveyed(groups, kinds={"data": ("digits", "mnist", "imagenet")}).cells == 2
    assert _surveyed(groups, kinds={"data": ()}).cells == 0


def test_a_sample_is_kept_for_a_while(groups: Sessions, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = Samples()
    with groups.begin() as session:
        first = kept.of(session, metric="error", selection="last")
        assert kept.of(session, metric="error", selection="last") is first
        assert kept.of(session, metric="nll", selection="last").n.tolist() == []
        monkeypatch.setattr(samples, "FRESH_SECONDS", -1.0)
        assert kept.of(session, metric="error", selection="last") is not first
