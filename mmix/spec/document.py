"""Reads a spec that a person wrote: YAML or JSON."""

import re
from pathlib import Path
from typing import TypeVar

import yaml
from pydantic import ValidationError

from mmix.errors import SpecError
from mmix.spec.comparison import ComparisonSpec
from mmix.spec.experiment import ExperimentSpec
from mmix.spec.part import Part
from mmix.spec.problems import problems, sentence

Asked = TypeVar("Asked", bound=Part)

RUNNING = ("tags", "priority", "device", "max_runtime_seconds")
"""What stands beside a comparison in a request: how it is to be run."""


class _Loader(yaml.SafeLoader):
    """YAML as people expect it: 1e-4 is a number (YAML 1.1 wants 1.0e-4)."""


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"^[-+]?\d+(\.\d*)?[eE][-+]?\d+$"), list("-+0123456789")
)


def read(path: Path) -> object:
    """The document in a file, unchecked.

    Raises: SpecError where the file can't be read or isn't YAML.
    """
    try:
        return yaml.load(path.read_text(encoding="utf-8"), _Loader)
    except OSError as error:
        raise SpecError(f"{path} can't be read: {error.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        raise SpecError(f"{path} is not YAML: {' '.join(str(error).split())}") from None


def parse(document: object, *, source: str) -> ExperimentSpec:
    """The spec that a document describes.

    Raises: SpecError that names each wrong place, what stands there and what may stand there.
    """
    return _checked(ExperimentSpec, document, source)


def parse_comparison(document: object, *, source: str) -> ComparisonSpec:
    """What a document asks to be compared; how it is to be run may stand beside it, and isn't looked at.

    Raises: SpecError like `parse`.
    """
    if isinstance(document, dict):
        document = {name: value for name, value in document.items() if name not in RUNNING}
    return _checked(ComparisonSpec, document, source)


def _checked(kind: type[Asked], document: object, source: str) -> Asked:
    try:
        return kind.model_validate(document)
    except ValidationError as error:
        found = problems(error.errors(), document)
        raise SpecError(f"{source}: " + "; ".join(sentence(problem) for problem in found)) from None


def load(path: Path) -> ExperimentSpec:
    """The spec in a file.

    Raises: SpecError
    """
    return parse(read(path), source=str(path))
