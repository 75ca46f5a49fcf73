"""A small training of any method, on 24 random images of 5 classes."""

from collections.abc import Iterator
from typing import Any, Protocol

import pytest
import torch

from mmix.data.dataset import Split, Statistics
from mmix.data.loader import Loader
from mmix.models.build import build
from mmix.spec.experiment import ExperimentSpec
from mmix.training.learner import Learner, prepare


class Make(Protocol):
    """Makes a learner from the parts of a spec."""

    def __call__(
        self,
        mixing: dict[str, Any] | None = None,
        *,
        model: dict[str, Any] | None = None,
        network: torch.nn.Module | None = None,
        **training: Any,
    ) -> Learner: ...


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """Networks this small lose time on a second thread."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def make() -> Make:
    """From parts of a spec to a learner; a network of one's own takes the place of the spec's model."""
    return _make


def _make(
    mixing: dict[str, Any] | None = None,
    *,
    model: dict[str, Any] | None = None,
    network: torch.nn.Module | None = None,
    **training: Any,
) -> Learner:
    spec = ExperimentSpec.model_validate(
        {
            "model": model or {"kind": "mlp", "hidden": [16, 12]},
            "data": {"kind": "digits"},
            "mixing": mixing or {"kind": "erm"},
            "training": {"epochs": 3, "batch_size": 6, "schedule": {"kind": "cosine"}, **training},
        }
    )
    x = torch.randint(0, 256, (24, 1, 8, 8), generator=torch.Generator().manual_seed(0)).to(torch.uint8)
    statistics = Statistics(mean=torch.tensor([0.5]), std=torch.tensor([0.3]))
    split = Split(x=x, y=torch.arange(24) % 5)
    return prepare(
        spec,
        seed=0,
        model=network or build(spec.model, shape=(1, 8, 8), classes=5, seed=0),
        loader=Loader(split, statistics, batch_size=spec.training.batch_size, crop_padding=1, flip=True, seed=0),
        shape=(1, 8, 8),
        classes=5,
        device=torch.device("cpu"),
    )
