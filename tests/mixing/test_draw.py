import subprocess
import sys
from typing import get_args

import numpy as np
import pytest

from mmix.mixing.draw import Purpose, generator, torch_seed

PURPOSES = get_args(Purpose)


def test_a_draw_is_a_pure_function_of_its_arguments() -> None:
    first, second = (generator(seed=3, purpose="lam", epoch=7).random(100) for _ in range(2))
    assert np.array_equal(first, second)


@pytest.mark.parametrize("changed", [{"seed": 4}, {"epoch": 8}, {"purpose": "layer"}, {"group": 1}])
def test_every_argument_changes_the_draw(changed: dict[str, object]) -> None:
    arguments = {"seed": 3, "purpose": "lam", "epoch": 7, "group": 0}
    first = generator(**arguments).random(4)  # type: ignore[arg-type]
    second = generator(**(arguments | changed)).random(4)  # type: ignore[arg-type]
    assert not np.isin(first, second).any()


def test_no_two_purposes_share_a_stream() -> None:
    firsts = {generator(seed=0, purpose=purpose, epoch=0).random() for purpose in PURPOSES}
    assert len(firsts) == len(PURPOSES)


def test_another_process_draws_the_same() -> None:
    program = (
        "from mmix.mixing.draw import generator;"
        "print(generator(seed=5, purpose='order', epoch=2).permutation(20).tolist())"
    )
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == str(generator(seed=5, purpose="order", epoch=2).permutation(20).tolist())


def test_seeds_for_torch_fit_and_differ() -> None:
    seeds = {torch_seed(seed=seed, purpose="init") for seed in range(1000)}
    assert len(seeds) == 1000
    assert all(0 <= seed < 2**63 for seed in seeds)
