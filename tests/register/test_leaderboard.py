from collections.abc import Mapping
from statistics import mean, stdev
from types import MappingProxyType

import pytest
from sqlalchemy import text

from mmix.spec.experiment import ExperimentSpec, digest
from mmix.store import endings, events, experiments, leaderboard, leases, runs
from mmix.store.events import Batch, Progress
from mmix.store.experiments import Wish
from mmix.store.leaderboard import After, Best, Filters, Place
from mmix.store.sessions import Sessions
from tests.conftest import make_spec, new_lease, new_worker

FGSM = "fgsm_accuracy@pixel:8/255"


def _finish(
    sessions: Sessions,
    spec: ExperimentSpec,
    *,
    seed: int,
    error: float,
    fgsm: float = 0.5,
    provenance: Mapping[str, str] = MappingProxyType({}),
) -> None:
    with sessions.begin() as session:
        made = experiments.create(session, owner="local", spec=spec, wish=Wish(seeds=(seed,)))
        run_id = experiments.get(session, owner="local", experiment_id=made).runs[0].id
        lease = leases.claim(
            session, run_id=run_id, worker_id=new_worker(session), host="here", queues=("any",), lease_seconds=60
        )
        assert lease is not None
        endings.succeed(
            session, lease, found={"last": {"error": error, FGSM: fgsm}}, provenance=provenance, seconds=1.0
        )


def _page(
    sessions: Sessions,
    *,
    filters: Filters = Filters(),  # noqa: B008 - frozen
    sort: str = "error",
    after: After | None = None,
    limit: int = 50,
) -> list[Place]:
    with sessions.begin() as session:
        return leaderboard.page(
            session, filters=filters, sort=sort, selection="last", metrics=(), after=after, limit=limit
        )


def test_mean_and_standard_deviation_are_those_of_the_seeds(sessions: Sessions) -> None:
    errors = [0.031, 0.0299, 0.033, 0.0305, 0.0312]
    for seed, error in enumerate(errors):
        _finish(sessions, make_spec(), seed=seed, error=error)
    (place,) = _page(sessions)
    assert (place.n, place.metrics["error"].n) == (5, 5)
    assert place.metrics["error"].mean == pytest.approx(mean(errors), rel=1e-12)
    # relative to 1e-9, as the spread is 30 times smaller than the values
    assert place.metrics["error"].std == pytest.approx(stdev(errors), rel=1e-9)


def test_one_seed_has_no_standard_deviation(sessions: Sessions) -> None:
    _finish(sessions, make_spec(), seed=0, error=0.1)
    assert _page(sessions)[0].metrics["error"].std is None


def test_a_seed_counts_once_however_often_it_was_run(sessions: Sessions) -> None:
    _finish(sessions, make_spec(), seed=0, error=0.1)
    _finish(sessions, make_spec(), seed=0, error=0.9)
    (place,) = _page(sessions)
    assert (place.n, place.metrics["error"].mean) == (1, 0.1)


def _groups(sessions: Sessions) -> dict[str, ExperimentSpec]:
    specs = [
        make_spec(mixing={"kind": "erm"}),
        make_spec(mixing={"kind": "input_mixup", "alpha": 1.0}),
        make_spec(model={"kind": "convnet"}),
    ]
    for spec, error in zip(specs, [0.3, 0.1, 0.2], strict=True):
        _finish(sessions, spec, seed=0, error=error, fgsm=error)
    return {digest(spec): spec for spec in specs}


def test_the_best_group_stands_first_whichever_way_the_metric_points(sessions: Sessions) -> None:
    _groups(sessions)
    assert [place.metrics["error"].mean for place in _page(sessions)] == [0.1, 0.2, 0.3]
    assert [place.metrics[FGSM].mean for place in _page(sessions, sort=FGSM)] == [0.3, 0.2, 0.1]


@pytest.mark.parametrize("sort", ["error", FGSM])
def test_pages_miss_nothing_and_repeat_nothing(sessions: Sessions, sort: str) -> None:
    groups = _groups(sessions)
    seen: list[str] = []
    after: After | None = None
    while page := _page(sessions, sort=sort, after=after, limit=1):
        seen += [place.group for place in page]
        after = After(mean=page[-1].metrics[sort].mean, digest=page[-1].group)
    assert len(seen) == len(set(seen)) == 3
    assert set(seen) == set(groups)


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        (Filters(mixing="input_mixup"), 1),
        (Filters(model="mlp"), 2),
        (Filters(data="digits"), 3),
        (Filters(data="cifar10"), 0),
        (Filters(model="convnet", mixing="erm"), 1),
    ],
)
def test_filters_keep_what_they_name(sessions: Sessions, filters: Filters, expected: int) -> None:
    _groups(sessions)
    assert len(_page(sessions, filters=filters)) == expected


def test_of_the_seeds_the_best_one_is_told_whichever_way_the_metric_points(sessions: Sessions) -> None:
    for seed, value in enumerate([0.4, 0.1, 0.3]):
        _finish(sessions, make_spec(), seed=seed, error=value, fgsm=value)
    metrics = _page(sessions)[0].metrics
    assert (metrics["error"].best, metrics[FGSM].best) == (Best(seed=1, value=0.1), Best(seed=0, value=0.4))


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (("mixing.alpha=1",), 1),
        (("training.loss=ce",), 3),
        (("training.loss=bce",), 0),
        (("tag=night", "owner=local"), 1),
        (("device=cpu",), 1),
        (("device=cuda",), 0),
    ],
)
def test_groups_are_chosen_by_their_specs_tags_owners_and_devices(
    sessions: Sessions, words: tuple[str, ...], found: int
) -> None:
    _groups(sessions)
    with sessions.begin() as session:
        experiments.create(session, owner="local", spec=make_spec(), wish=Wish(seeds=(7,), tags=("night",)))
    _finish(sessions, make_spec(), seed=9, error=0.3, provenance={"device": "cpu"})
    assert len(_page(sessions, filters=Filters(facets=words))) == found


def test_words_that_share_a_number_are_not_taken_for_each_other(sessions: Sessions) -> None:
    _finish(sessions, make_spec(), seed=0, error=0.1)
    with sessions.begin() as session:
        session.execute(text("UPDATE leaderboard SET facets = facets || hashtext('tag=other')"))
    assert _page(sessions, filters=Filters(facets=("tag=other",))) == []


def test_a_group_with_too_few_seeds_is_not_listed(sessions: Sessions) -> None:
    _finish(sessions, make_spec(), seed=0, error=0.1)
    _finish(sessions, make_spec(), seed=1, error=0.2)
    assert [len(_page(sessions, filters=Filters(min_n=least))) for least in (2, 3)] == [1, 0]


def test_a_run_counts_the_seconds_that_all_its_attempts_trained_on_all_their_devices(sessions: Sessions) -> None:
    with sessions.begin() as session:
        lease = new_lease(session)
    with sessions.begin() as session:
        session.execute(text("UPDATE attempts SET devices = '{a,b}'"))
        events.record(session, lease, Batch(progress=Progress(1, 10, 100.0, seconds_left=5.0, seconds=5.0)))
        endings.lose(session, lease, exit_code=None, error="the worker died")
        again = leases.claim(
            session, run_id=lease.run_id, worker_id=new_worker(session), host="h", queues=("any",), lease_seconds=9
        )
        assert again is not None
    with sessions.begin() as session:
        events.record(session, again, Batch(progress=Progress(2, 20, 100.0, seconds_left=0.0, seconds=2.0)))
        endings.succeed(session, again, found={"last": {"error": 0.5}}, provenance={}, seconds=3.0)
    with sessions.begin() as session:
        took = runs.get(session, owner="local", run_id=lease.run_id).device_seconds
    assert took == 2 * 5 + 3
    assert _page(sessions)[0].metrics["device_seconds"].mean == took
