"""Which modules of a network carry its whole state."""

from collections import Counter
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from mmix.models.dry_run import zeros

Node = Any  # a step of autograd's graph, for which torch has no public type


class _Output(NamedTuple):
    step: Node
    batch: int
    state: tuple[int, ...]


def carriers(network: nn.Module, *, shape: tuple[int, ...]) -> dict[str, tuple[int, ...]]:
    """The modules after which mixing mixes everything, by name, and the shape of a sample's state there.

    Each is called once, answers one tensor, batch first, and every way from the input to the answer leads through it:
    inside a residual branch, part of the state would go on unmixed beside the branch. `network` has no weights (it
    lies on the meta device); it is left in eval mode, frozen and with hooks, and is of no further use.
    """
    outputs: dict[str, list[_Output | None]] = {}
    for name, module in network.named_modules():
        module.register_forward_hook(partial(_keep, outputs.setdefault(name, [])))
    x = zeros(network.requires_grad_(False), shape=shape).requires_grad_()
    with torch.enable_grad():
        answer = network.eval()(x)
    # Steps rather than tensors are compared: a ReLU in place replaces the step of the tensor that it changes.
    through = _unavoidable(answer.grad_fn)
    once = {name: kept[0] for name, kept in outputs.items() if name and len(kept) == 1}
    return {
        name: output.state
        for name, output in once.items()
        if output is not None and output.batch == len(x) and output.step in through
    }


def _keep(outputs: list[_Output | None], module: nn.Module, inputs: object, output: object) -> None:
    if isinstance(output, Tensor) and output.dim() > 0:
        outputs.append(_Output(output.grad_fn, len(output), tuple(output.shape[1:])))
    else:
        outputs.append(None)


def _unavoidable(end: Node) -> set[Node]:
    """The steps on every path from `end` to the input: as many paths lead through them as there are."""
    order = _sorted(end)
    below: Counter[Node] = Counter()
    for step in order:
        below[step] = sum(below[after] for after in _next(step)) or 1
    above = Counter({end: 1})
    for step in reversed(order):
        for after in _next(step):
            above[after] += above[step]
    return {step for step in order if above[step] * below[step] == below[end]}


def _sorted(end: Node) -> list[Node]:
    """All steps from `end` on, each behind those it leads to. A loop: networks are deeper than Python's stack."""
    order: dict[Node, None] = {}
    stack = [end]
    while stack:
        waiting = [after for after in _next(stack[-1]) if after not in order]
        stack.extend(waiting)
        if not waiting:
            order[stack.pop()] = None
    return list(order)


def _next(step: Node) -> list[Node]:
    return [after for after, _ in step.next_functions if after is not None]
