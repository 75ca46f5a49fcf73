"""No step waits for the host: on a GPU each read would empty its queue."""

from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from mmix.mixing.tables import Tables
from mmix.training.loop import _steps
from tests.training.conftest import Make
from tests.training.test_loop import ERM, MIXING, MODELS

READING = {
    "aten::_local_scalar_dense",
    "aten::item",
    "aten::is_nonzero",
    "aten::equal",
    "aten::nonzero",
    "aten::masked_select",
    "aten::unique_dim",
    "aten::_unique2",
    "aten::repeat_interleave.Tensor",
}


class Reads(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts what makes the host wait for the device, by the operation's name."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.found: list[str] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func._schema.name
        if name in READING or f"{name}.{func._schema.overload_name}" in READING or _by_mask(name, args):
            self.found.append(name)
        return func(*args, **(kwargs or {}))


def _by_mask(name: str, args: tuple[Any, ...]) -> bool:
    """Whether what is indexed with is a mask, whose size only the device knows."""
    if name not in {"aten::index", "aten::index_put", "aten::index_put_", "aten::_index_put_impl_"}:
        return False
    return any(index is not None and index.dtype == torch.bool for index in args[1])


@pytest.mark.parametrize("optimiser", [{"kind": "sgd"}, {"kind": "adam"}])
@pytest.mark.parametrize("precision", ["fp32", "bf16", "fp16"])
@pytest.mark.parametrize("mixing", [ERM, {"kind": "label_smoothing", "smoothing": 0.1}, *MIXING])
def test_the_steps_of_an_epoch_read_nothing_from_the_device(
    make: Make, mixing: dict[str, Any], precision: str, optimiser: dict[str, Any]
) -> None:
    trained = make(mixing, model=MODELS[2], precision=precision, optimiser=optimiser, clip_norm=1.0, epochs=2)
    epoch = 9  # after any warm-up
    draws = trained.policy.epoch(Tables(0, epoch, trained.loader.sizes))
    with Reads() as reads:
        _steps(trained, epoch, draws)
    assert reads.found == []


def test_a_read_is_seen() -> None:
    x = torch.rand(3)
    with Reads() as reads:
        x.sum().item()
        x[x > 2]
        torch.nn.functional.one_hot(torch.tensor([0, 1]), 2)
    assert reads.found == [
        "aten::_local_scalar_dense",
        "aten::index",
        "aten::_local_scalar_dense",
        "aten::_local_scalar_dense",
    ]
