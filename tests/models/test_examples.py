"""There is an example for every kind of model, and it can be trained."""

from pathlib import Path
from typing import get_args

import pytest

from mmix.models.points import points
from mmix.spec import document
from mmix.spec.mixing import layers_of
from mmix.spec.model import Model

FOLDER = Path(__file__).parents[2] / "examples" / "models"
KINDS = [get_args(member.model_fields["kind"].annotation)[0] for member in get_args(get_args(Model)[0])]


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_model_has_an_example_on_digits(kind: str) -> None:
    spec = document.load(FOLDER / f"{kind}.yaml")
    assert (spec.model.kind, spec.data.kind) == (kind, "digits")
    numbers = [point.number for point in points(spec.model, shape=(1, 8, 8), classes=10)]
    assert set(layers_of(spec.mixing)) <= set(numbers)
