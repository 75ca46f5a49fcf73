"""A comparison is arms over the same seeds: what has finished is shared, what hasn't is asked for once."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text

from mmix.errors import NotFound
from mmix.spec.comparison import ComparisonSpec
from mmix.spec.experiment import canonical
from mmix.store import comparisons, endings, events, experiments, findings, leases, retries, runs
from mmix.store.comparisons import ComparisonView, RunOfArm
from mmix.store.events import Batch, Point
from mmix.store.experiments import Wish
from mmix.store.sessions import Sessions
from tests.conftest import finish, make_spec, new_worker

ERM = {"name": "erm", "replace": {}}
MIXUP = {"name": "mixup", "replace": {"mixing": {"kind": "input_mixup", "alpha": 1.0}}}
FOUND = {"last": {"error": 0.1}}


def _asked(**changes: object) -> ComparisonSpec:
    parts: dict[str, Any] = {"name": "a", "base": canonical(make_spec()), "arms": [ERM, MIXUP], "seeds": [2, 0]}
    return ComparisonSpec.model_validate({**parts, "baseline": "erm", **changes})


def _create(sessions: Sessions, *, owner: str = "local", tags: tuple[str, ...] = (), **changes: object) -> UUID:
    asked = _asked(**changes)
    with sessions.begin() as session:
        return comparisons.create(session, owner=owner, asked=asked, wish=Wish(seeds=asked.seeds, tags=tags))


def _get(sessions: Sessions, comparison_id: UUID) -> ComparisonView:
    with sessions.begin() as session:
        return comparisons.get(session, owner="local", comparison_id=comparison_id)


def _lines(view: ComparisonView) -> dict[str, list[RunOfArm]]:
    return {arm.name: arm.runs for arm in view.arms}


def _finish(sessions: Sessions, lines: Sequence[RunOfArm]) -> None:
    with sessions.begin() as session:
        for run in lines:
            finish(session, run.id, found=FOUND)


def test_each_arm_is_an_experiment_over_all_seeds_with_the_comparisons_tags(sessions: Sessions) -> None:
    made = _create(sessions, tags=("mine",))
    view = _get(sessions, made)
    assert [(arm.name, arm.label, arm.spec) for arm in view.arms] == [
        ("erm", "erm", canonical(make_spec())),
        ("mixup", "input_mixup alpha=1", canonical(make_spec(mixing=MIXUP["replace"]["mixing"]))),  # type: ignore[index]
    ]
    assert {name: [(run.seed, run.state, run.shared) for run in found] for name, found in _lines(view).items()} == {
        name: [(2, "queued", False), (0, "queued", False)] for name in ("erm", "mixup")
    }
    with sessions.begin() as session:
        listed = experiments.page(session, owner="local", before=None, limit=10)
    assert [each.tags for each in listed] == [["mine", f"comparison:{made}"]] * 2
    assert {run.id for each in listed for run in each.runs} == {run.id for arm in view.arms for run in arm.runs}


def test_finished_runs_are_shared_and_only_the_others_are_queued(sessions: Sessions) -> None:
    first = _lines(_get(sessions, _create(sessions)))
    _finish(sessions, [*first["erm"], first["mixup"][0]])
    again = _lines(_get(sessions, _create(sessions)))
    assert [(run.id, run.state, run.shared) for run in again["erm"]] == [
        (run.id, "succeeded", True) for run in first["erm"]
    ]
    shared, own = again["mixup"]
    assert (shared.id, shared.shared) == (first["mixup"][0].id, True)
    assert (own.state, own.shared) == ("queued", False)
    assert own.id != first["mixup"][1].id
    with sessions.begin() as session:
        assert session.scalar(text("SELECT count(*) FROM runs")) == 5
        assert session.scalar(text("SELECT count(*) FROM experiments")) == 3


def test_a_fresh_comparison_shares_nothing(sessions: Sessions) -> None:
    _finish(sessions, _lines(_get(sessions, _create(sessions)))["erm"])
    fresh = _lines(_get(sessions, _create(sessions, fresh=True)))
    assert [(run.state, run.shared) for run in fresh["erm"]] == [("queued", False)] * 2


def test_nobody_shares_anothers_runs(sessions: Sessions) -> None:
    _finish(sessions, _lines(_get(sessions, _create(sessions)))["erm"])
    theirs = _create(sessions, owner="somebody")
    with sessions.begin() as session:
        view = comparisons.get(session, owner="somebody", comparison_id=theirs)
    assert [run.shared for run in _lines(view)["erm"]] == [False, False]
    with pytest.raises(NotFound):
        _get(sessions, theirs)


def test_its_state_follows_from_its_runs(sessions: Sessions) -> None:
    made = _create(sessions)
    lines = _lines(_get(sessions, made))
    assert _get(sessions, made).summary.state == "queued"
    with sessions.begin() as session:
        runs.cancel(session, owner="local", run_id=lines["mixup"][0].id)
    assert _get(sessions, made).summary.state == "cancelled"
    with sessions.begin() as session:
        retried = retries.retry(session, owner="local", run_id=lines["mixup"][0].id)
    after = _get(sessions, made)
    assert (after.summary.state, _lines(after)["mixup"][0].id) == ("queued", retried)
    _finish(sessions, [run for arm in after.arms for run in arm.runs])
    assert _get(sessions, made).summary.state == "succeeded"


def test_a_retry_of_a_retry_counts(sessions: Sessions) -> None:
    made = _create(sessions)
    newest = _lines(_get(sessions, made))["erm"][0].id
    with sessions.begin() as session:
        runs.cancel(session, owner="local", run_id=newest)
        newest = retries.retry(session, owner="local", run_id=newest)
        runs.cancel(session, owner="local", run_id=newest)
        newest = retries.retry(session, owner="local", run_id=newest)
    view = _get(sessions, made)
    assert [len(arm.runs) for arm in view.arms] == [2, 2]
    assert view.arms[0].runs[0].id == newest


def test_cancelling_ends_its_own_runs_and_leaves_shared_ones_and_is_noted(sessions: Sessions) -> None:
    first = _create(sessions)
    _finish(sessions, _lines(_get(sessions, first))["erm"])
    second = _create(sessions)
    with sessions.begin() as session:
        comparisons.cancel(session, owner="local", comparison_id=second)
    assert [run.state for arm in _get(sessions, second).arms for run in arm.runs] == ["succeeded"] * 2 + [
        "cancelled"
    ] * 2
    assert [run.state for run in _lines(_get(sessions, first))["mixup"]] == ["queued"] * 2
    with sessions.begin() as session:
        noted = session.execute(
            text("SELECT object_id, action, after FROM audit WHERE kind = 'comparison' ORDER BY id")
        ).all()
    assert noted == [
        (first, "create", {"runs": 4, "shared": 0}),
        (second, "create", {"runs": 2, "shared": 2}),
        (second, "cancel", None),
    ]
    with sessions.begin() as session, pytest.raises(NotFound):
        comparisons.cancel(session, owner="somebody", comparison_id=first)


def test_pages_are_filtered_by_name_and_tags(sessions: Sessions) -> None:
    made = [_create(sessions, name=name, tags=tags) for name, tags in [("a", ("x", "y")), ("b", ("x",)), ("a", ("x",))]]

    def page(**asked: Any) -> list[UUID]:
        with sessions.begin() as session:
            filters: dict[str, Any] = {"name": None, "tags": (), "before": None, "limit": 10, **asked}
            return [each.id for each in comparisons.page(session, owner="local", **filters)]

    assert page() == made[::-1]
    assert page(limit=2) == made[:0:-1]
    assert page(before=made[1]) == [made[0]]
    assert page(name="a") == [made[2], made[0]]
    assert page(tags=("x", "y")) == [made[0]]
    assert page(name="b", tags=("y",)) == []
    with sessions.begin() as session:
        (line,) = comparisons.page(session, owner="local", name="b", tags=(), before=None, limit=10)
    assert (line.arms, line.runs, line.state) == (["erm", "mixup"], {"queued": 4}, "queued")


def test_comparisons_of_the_same_new_arms_are_made_side_by_side(sessions: Sessions) -> None:
    alphas = [step / 10 for step in range(1, 41)]
    both_ready = Barrier(2)

    def make(values: Sequence[float]) -> UUID:
        both_ready.wait()
        return _create(
            sessions, base=canonical(_mixed()), arms=[], grid={"mixing.alpha": list(values)}, baseline="alpha=1.0"
        )

    with ThreadPoolExecutor(2) as pool:
        made = [*pool.map(make, [alphas, alphas[::-1]])]
    assert [len(_get(sessions, each).arms) for each in made] == [40, 40]


def _mixed() -> Any:
    return make_spec(mixing={"kind": "input_mixup", "alpha": 5.0})


def test_what_a_run_has_found_joins_the_curves_of_its_attempts(sessions: Sessions) -> None:
    with sessions.begin() as session:
        made = experiments.create(session, owner="local", spec=make_spec(), wish=Wish(seeds=(0, 1)))
        run_id, unfinished = (run.id for run in experiments.get(session, owner="local", experiment_id=made).runs)
        first = leases.claim(
            session, run_id=run_id, worker_id=new_worker(session), host="here", queues=("any",), lease_seconds=60
        )
        assert first is not None
        events.record(session, first, Batch(points=[Point("error", 1, 0.5), Point("error", 2, 0.4)]))
        endings.preempt(session, first, exit_code=None)
        second = leases.claim(
            session, run_id=run_id, worker_id=new_worker(session), host="here", queues=("any",), lease_seconds=60
        )
        assert second is not None
        events.record(
            session, second, Batch(points=[Point("error", 2, 0.3), Point("error", 3, 0.2), Point("nll", 3, 1.0)])
        )
        results = {
            "last": {"error": 0.2, "nll": 1.0, "forward_backward_passes": 3.0},
            "best_on_test": {"error": 0.1, "nll": 0.9},
        }
        endings.succeed(session, second, found=results, provenance={"artifacts": ["logits.safetensors"]}, seconds=1.0)
        found = findings.look_up(session, run_ids=[run_id, unfinished, uuid4()], metric="error")
    assert list(found) == [run_id]
    finding = found[run_id]
    assert finding.curve == [(1, 0.5), (2, 0.3), (3, 0.2)]
    assert finding.selections == {"last": 0.2, "best_on_test": 0.1}
    assert finding.cost["forward_backward_passes"] == 3.0
    assert (finding.attempt, finding.artifacts) == (2, frozenset({"logits.safetensors"}))
