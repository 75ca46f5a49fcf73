from pathlib import Path

import pytest
from pydantic import ValidationError

from mmix.errors import SpecError
from mmix.spec import document
from mmix.spec.experiment import ExperimentSpec
from mmix.spec.optimisation import Sgd
from mmix.spec.problems import Problem, problems, sentence

GOOD = "{model: {kind: mlp}, data: {kind: digits}, mixing: {kind: erm}, training: {epochs: 1}}"


def _problem(given: dict[str, object]) -> Problem:
    with pytest.raises(ValidationError) as caught:
        ExperimentSpec.model_validate(given)
    (found,) = problems(caught.value.errors(), given)
    return found


def _document(**changes: object) -> dict[str, object]:
    whole: dict[str, object] = {
        "model": {"kind": "mlp"},
        "data": {"kind": "digits"},
        "mixing": {"kind": "erm"},
        "training": {"epochs": 1},
    }
    return {**whole, **changes}


def test_a_number_in_scientific_notation_is_a_number(tmp_path: Path) -> None:
    path = tmp_path / "spec.yaml"
    path.write_text(GOOD.replace("epochs: 1", "epochs: 1, optimiser: {kind: sgd, weight_decay: 5e-4}"))
    spec = document.load(path)
    assert spec.training.optimiser == Sgd(kind="sgd", weight_decay=0.0005)


def test_a_document_can_hold_no_code(tmp_path: Path) -> None:
    path = tmp_path / "spec.yaml"
    path.write_text("!!python/object/apply:os.system ['true']")
    with pytest.raises(SpecError, match="is not YAML"):
        document.load(path)


def test_all_problems_are_told_at_once(tmp_path: Path) -> None:
    path = tmp_path / "spec.yaml"
    path.write_text(GOOD.replace("epochs: 1", "epochs: 0, batch_size: x"))
    with pytest.raises(SpecError) as caught:
        document.load(path)
    assert "training.epochs" in str(caught.value)
    assert "training.batch_size" in str(caught.value)


def test_a_place_names_what_the_reader_wrote_and_no_member_of_a_union() -> None:
    found = _problem(_document(mixing={"kind": "input_mixup", "alpha": 0}))
    assert found["loc"] == ["mixing", "alpha"]
    assert (found["given"], found["allowed"]) == ("0", "at least 0.0001")


def test_an_unknown_kind_is_told_the_known_ones() -> None:
    found = _problem(_document(model={"kind": "resnet"}))
    assert (found["loc"], found["given"]) == (["model", "kind"], "'resnet'")
    assert found["allowed"] is not None
    assert found["allowed"].startswith("'mlp', 'bottleneck_mlp', 'convnet', 'preact_resnet'")


def test_a_check_across_parts_names_the_field_at_fault() -> None:
    found = _problem(_document(mixing={"kind": "manifold_mixup", "alpha": 1, "layers": [9]}))
    assert (found["loc"], found["given"], found["allowed"]) == (["mixing", "layers"], "[9]", "0 to 2")


def test_a_missing_field_has_nothing_given() -> None:
    found = _problem(_document(training={}))
    assert (found["loc"], found["given"]) == (["training", "epochs"], None)
    assert sentence(found) == "training.epochs: Field required"


def test_a_long_bad_value_is_shown_in_part() -> None:
    found = _problem(_document(training={"epochs": "x" * 10_000}))
    assert found["given"] is not None
    assert len(found["given"]) < 250
