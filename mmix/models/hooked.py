"""Forward hooks that let a network nobody wrote for mixing be mixed at any of its modules."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches

from torch import Tensor, nn

from mmix.errors import SpecError
from mmix.models.mixer import Mixer

_SHOWN = 12  # names in one message


@dataclass(eq=False)
class _Call:
    """One forward pass under a plan: the batch size it now has, and the points that it has passed."""

    plan: Mixer
    batch: int = 0
    passed: set[int] = field(default_factory=set)

    def at(self, point: int, x: Tensor) -> Tensor:
        self.passed.add(point)
        x = self.plan.at(point, x)
        self.batch = len(x)
        return x


class _Current(threading.local):
    """The forward pass that is under way in this thread. torch.compile follows this, but no ContextVar (torch 2.13)."""

    call: _Call | None = None

    def __reduce__(self) -> tuple[type["_Current"], tuple[()]]:
        return type(self), ()  # a copy of the network begins without a pass under way


class Hooked(nn.Module):
    """Any network, mixed at its input (point 0) and after the modules that `points` names (1, 2, ...).

    The points are numbered in the order of `points`, and reached in the order in which the network runs. Hooks are
    placed once, here, and never moved: torch.compile ignores what is hooked after it has compiled. A hook gets the
    module, its inputs and its output, and the code between `forward` and the module passes nothing on that it does
    not know of; so the plan can't be the hook's argument. It lies in `_current` for the duration of the call, where
    no other thread sees it, and is taken away at the end, come what may. Without a plan the hooks do nothing.

    Raises: SpecError where `points` names a module twice, one that the network doesn't have, or one that it has
        under two names; in `forward`, where a module is not called exactly once, or answers something else than one
        tensor with a row for each sample.
    """

    def __init__(self, module: nn.Module, points: Sequence[str]) -> None:
        super().__init__()
        found = _found(module, points)
        self.module = module
        self.names = tuple(points)
        self._current = _Current()
        for point, (name, hooked) in enumerate(zip(points, found, strict=True), start=1):
            hooked.register_forward_hook(_Hook(self._current, point, name))

    @property
    def last_point(self) -> int:
        """The deepest mix point."""
        return len(self.names)

    def forward(self, x: Tensor, plan: Mixer | None = None) -> Tensor:
        """x: (B, ...); what the network answers.

        Raises: SpecError
        """
        if plan is None:
            plain: Tensor = self.module(x)
            return plain
        assert plan.last_point_used <= self.last_point, "the plan's layer lies outside the network"
        call = _Call(plan)
        self._current.call = call
        try:
            answer: Tensor = self.module(call.at(0, x))
        finally:
            self._current.call = None
        for point, name in enumerate(self.names, start=1):
            if point not in call.passed:
                raise SpecError(f"{_given(name)}, which the network never calls; name a module that it runs")
        return answer


@dataclass(frozen=True, eq=False)
class _Hook:
    """An object rather than a closure, so that the hooks of a copied network are the copy's own."""

    current: _Current
    point: int
    name: str

    def __call__(self, module: nn.Module, inputs: object, output: object) -> Tensor | None:
        call = self.current.call
        if call is None:
            return None
        if self.point in call.passed:
            raise SpecError(
                f"{_given(self.name)}, which one forward pass calls more than once; name one that it calls once"
            )
        if not isinstance(output, Tensor):
            raise SpecError(
                f"{_given(self.name)}, whose output is a {type(output).__name__}; "
                "name a module around or inside it that answers one tensor"
            )
        if output.dim() == 0 or len(output) != call.batch:
            raise SpecError(
                f"{_given(self.name)}, whose output of shape {tuple(output.shape)} has no row for each of the "
                f"{call.batch} samples; name a module that answers batch first"
            )
        return call.at(self.point, output)


def _found(module: nn.Module, points: Sequence[str]) -> list[nn.Module]:
    """The modules of these names.

    Raises: SpecError
    """
    known = {name: each for name, each in module.named_modules(remove_duplicate=False) if name}
    for position, name in enumerate(points):
        if name not in known:
            raise SpecError(
                f"{_given(name)}, which the network doesn't have; allowed: {_offer(name, module, [*known])}"
            )
        if name in points[:position]:
            raise SpecError(f"{_given(name)} twice; name each module once")
        shared = [other for other, each in known.items() if each is known[name]]
        if len(shared) > 1:
            raise SpecError(
                f"{_given(name)}, a module that the network shares under the names {', '.join(shared)}; "
                "name one that it uses in a single place"
            )
    return [known[name] for name in points]


def _given(name: str) -> str:
    return f"model.points names {name!r}"


def _offer(name: str, module: nn.Module, known: Sequence[str]) -> str:
    if len(known) <= _SHOWN:
        return ", ".join(known)
    close = get_close_matches(name, known, n=_SHOWN) or [child for child, _ in module.named_children()][:_SHOWN]
    return f"{', '.join(close)} or another of its {len(known)} modules (`mmix model points` lists them)"
