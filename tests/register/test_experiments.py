from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import pytest

from mmix.errors import Conflict, NotFound
from mmix.spec.experiment import digest
from mmix.store import experiments, runs
from mmix.store.experiments import Wish
from mmix.store.sessions import Sessions
from tests.conftest import make_spec


def test_an_experiment_has_one_queued_run_per_seed(sessions: Sessions) -> None:
    spec = make_spec()
    with sessions.begin() as session:
        made = experiments.create(session, owner="local", spec=spec, wish=Wish(seeds=(2, 0, 1), tags=("a",)))
    with sessions.begin() as session:
        found = experiments.get(session, owner="local", experiment_id=made)
    assert [(run.seed, run.state) for run in found.runs] == [(0, "queued"), (1, "queued"), (2, "queued")]
    assert (found.state, found.digest, found.tags, found.label) == ("queued", digest(spec), ["a"], "erm")


def test_nobody_sees_or_cancels_what_belongs_to_somebody_else(sessions: Sessions) -> None:
    with sessions.begin() as session:
        made = experiments.create(session, owner="ada", spec=make_spec(), wish=Wish(seeds=(0,)))
        run_id = experiments.get(session, owner="ada", experiment_id=made).runs[0].id
    with sessions.begin() as session:
        with pytest.raises(NotFound):
            experiments.get(session, owner="bob", experiment_id=made)
        with pytest.raises(NotFound):
            runs.get(session, owner="bob", run_id=run_id)
        with pytest.raises(NotFound):
            runs.cancel(session, owner="bob", run_id=run_id)
        assert experiments.page(session, owner="bob", before=None, limit=10) == []
        runs.cancel_experiment(session, owner="bob", experiment_id=made)
        assert runs.get(session, owner="ada", run_id=run_id).state == "queued"


def test_pages_are_newest_first_and_miss_nothing(sessions: Sessions) -> None:
    with sessions.begin() as session:
        made = [
            experiments.create(session, owner="local", spec=make_spec(), wish=Wish(seeds=(seed,))) for seed in range(5)
        ]
    seen: list[Any] = []
    with sessions.begin() as session:
        while page := experiments.page(session, owner="local", before=seen[-1] if seen else None, limit=2):
            seen += [view.id for view in page]
    assert seen == made[::-1]


def test_a_rolled_back_creation_leaves_nothing(sessions: Sessions) -> None:
    with sessions() as session:
        experiments.create(session, owner="local", spec=make_spec(), wish=Wish(seeds=(0,)))
        session.rollback()
    with sessions.begin() as session:
        assert experiments.page(session, owner="local", before=None, limit=10) == []


def test_equal_requests_at_once_get_one_answer(sessions: Sessions) -> None:
    name = {"owner": "local", "route": "POST /x", "key": "k", "request_sha256": "same"}

    def answer(_: int) -> str:
        with sessions.begin() as session:
            known = experiments.remembered(session, **name)
            if known is not None:
                return str(known["id"])
            body = {"id": str(uuid4())}
            experiments.remember(session, **name, body=body)
            return body["id"]

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(answer, range(8)))) == 1


def test_a_key_belongs_to_one_body(sessions: Sessions) -> None:
    with sessions.begin() as session:
        experiments.remember(session, owner="local", route="r", key="k", request_sha256="one", body={})
    with sessions.begin() as session, pytest.raises(Conflict, match="was used for another body"):
        experiments.remembered(session, owner="local", route="r", key="k", request_sha256="two")
