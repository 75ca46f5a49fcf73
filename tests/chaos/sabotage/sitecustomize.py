"""Python imports this at its start where this folder is on its path: changes mmix.store as it is imported.

MMIX_CHAOS_SABOTAGE names the protection that the process goes without.
"""

import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import module_from_spec
from pathlib import Path
from types import ModuleType
from typing import Any

Change = Callable[[Any], None]


def _unfence(name: str) -> Change:
    """Takes whoever calls this function for the attempt that has the run."""

    def change(module: Any) -> None:
        fenced = getattr(module, name)

        def unfenced(session: Any, key: Any, **values: Any) -> Any:
            current = session.scalar(module.select(module.Run.attempt).where(module.Run.id == key.run_id))
            return fenced(session, replace(key, attempt=current), **values)

        setattr(module, name, unfenced)

    return change


def _reap_nothing(module: Any) -> None:
    module.reap = lambda *_, **__: 0


def _claim_anything(module: Any) -> None:
    """Claims a run in whatever state it is."""
    claim = module.claim

    def claim_anyway(session: Any, *, run_id: Any, **values: Any) -> Any:
        point = session.begin_nested()
        freed = {"state": "queued", "lease_until": None, "finished_at": None, "failure_class": None, "not_before": None}
        session.execute(module.update(module.Run).where(module.Run.id == run_id).values(**freed))
        lease = claim(session, run_id=run_id, **values)
        if lease is None:
            point.rollback()
        return lease

    module.claim = claim_anyway


_CHANGES: dict[str, dict[str, Change]] = {
    "fence": {
        "mmix.store.attempts": _unfence("hold"),
        "mmix.store.leases": _unfence("renew"),
        "mmix.store.endings": _unfence("_leave"),
    },
    "reaper": {"mmix.store.endings": _reap_nothing},
    "claim": {"mmix.store.leases": _claim_anything},
}


class _Changed(Loader):
    """Loads a module, then changes it."""

    def __init__(self, loader: Loader, change: Change) -> None:
        self._loader = loader
        self._change = change

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        self._loader.exec_module(module)
        self._change(module)


class _Saboteur(MetaPathFinder):
    """Finds the modules that are to be changed."""

    def __init__(self, changes: dict[str, Change]) -> None:
        self._changes = changes

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        spec = PathFinder.find_spec(fullname, path, target) if fullname in self._changes else None
        if spec is not None and spec.loader is not None:
            spec.loader = _Changed(spec.loader, self._changes[fullname])
        return spec


def _go_on() -> None:
    """Runs the sitecustomize that stands behind this one, if there is one."""
    here = Path(__file__).resolve().parent
    spec = PathFinder.find_spec("sitecustomize", [each for each in sys.path if Path(each).resolve() != here])
    if spec is not None and spec.loader is not None:
        spec.loader.exec_module(module_from_spec(spec))


sys.meta_path.insert(0, _Saboteur(_CHANGES[os.environ["MMIX_CHAOS_SABOTAGE"]]))
_go_on()
