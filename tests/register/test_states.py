from typing import get_args

import pytest

from mmix.store.states import OWNED, STATES, TERMINAL, TRANSITIONS, State, of_experiment


def test_every_state_has_its_ways_out_and_only_known_ones() -> None:
    assert set(TRANSITIONS) == set(STATES) == set(get_args(State))
    assert set().union(*TRANSITIONS.values()) <= set(STATES)


def test_terminal_states_have_no_way_out_and_all_others_do() -> None:
    assert {state for state in STATES if not TRANSITIONS[state]} == set(TERMINAL)
    assert not set(OWNED) & set(TERMINAL)


@pytest.mark.parametrize(
    ("states", "expected"),
    [
        ({"queued"}, "queued"),
        ({"queued", "succeeded"}, "queued"),
        ({"queued", "running", "succeeded"}, "running"),
        ({"cancelling", "succeeded"}, "running"),
        ({"succeeded"}, "succeeded"),
        ({"succeeded", "cancelled", "running"}, "cancelled"),
        ({"succeeded", "cancelled", "failed", "running"}, "failed"),
    ],
)
def test_an_experiment_takes_its_state_from_its_runs(states: set[str], expected: str) -> None:
    assert of_experiment(states) == expected
