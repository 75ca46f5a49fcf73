"""Imports torchvision where its compiled part can't be loaded.

PyPI's torchvision wheel is built for the CUDA build of torch. Beside the CPU build its extension doesn't
load, and `import torchvision` ends in "operator torchvision::nms does not exist", although neither data sets
nor classifiers need that operator. Declaring the missing operators (without an implementation) lets it pass.
Where torchvision works, nothing is changed.
"""

import importlib
import re
import sys
from types import ModuleType

import torch

_MISSING = re.compile(r"operator torchvision::(\w+) does not exist")
_SCHEMA = "{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
_DECLARABLE = ("nms", "qnms")  # both have the schema above; anything else is another fault
_declared: list[torch.library.Library] = []  # a declaration lasts as long as its Library object


def torchvision(module: str) -> ModuleType:
    """A module of torchvision, such as "datasets"; the first call costs a second."""
    for _ in _DECLARABLE:
        try:
            return importlib.import_module(f"torchvision.{module}")
        except RuntimeError as error:
            _declare(error)
    return importlib.import_module(f"torchvision.{module}")


def _declare(error: RuntimeError) -> None:
    missing = _MISSING.fullmatch(str(error))
    if missing is None or missing[1] not in _DECLARABLE:
        raise error
    library = torch.library.Library("torchvision", "FRAGMENT")  # type: ignore[no-untyped-call]
    library.define(_SCHEMA.format(name=missing[1]))  # type: ignore[no-untyped-call]
    _declared.append(library)
    for name in [name for name in sys.modules if name.split(".")[0] == "torchvision"]:
        del sys.modules[name]  # half imported: it would be taken for whole
