import pytest

from mmix.errors import SpecError
from mmix.spec.experiment import ExperimentSpec
from mmix.spec.optimisation import Sgd, Step
from mmix.suites.presets import PRESETS, Preset, differences, laid_over, parts, preset

PREACT: dict[str, object] = {"kind": "preact_resnet", "depth": 18}
WIDE: dict[str, object] = {"kind": "wide_resnet"}
NAMES = [f"{each.name}-{each.network or 'any'}" for each in PRESETS]


def _document(*, model: dict[str, object], kind: str = "cifar10") -> dict[str, object]:
    return {
        "model": model,
        "data": {"kind": kind},
        "mixing": {"kind": "manifold_mixup", "alpha": 2.0, "layers": [0]},
        "training": {"epochs": 1, "optimiser": {"kind": "adam"}},
    }


def _paths(one: Preset, other: Preset) -> list[str]:
    return [difference.path for difference in differences(one, other)]


@pytest.mark.parametrize("chosen", PRESETS, ids=NAMES)
def test_every_preset_makes_a_valid_spec(chosen: Preset) -> None:
    document = _document(model={"kind": chosen.network or "wide_resnet"})
    spec = ExperimentSpec.model_validate(laid_over(document, chosen))
    assert spec.training.epochs == chosen.facts["training.epochs"].value
    assert isinstance(spec.training.optimiser, Sgd)


@pytest.mark.parametrize("chosen", PRESETS, ids=NAMES)
def test_every_fact_of_a_preset_says_who_says_so(chosen: Preset) -> None:
    assert [path for path, fact in chosen.facts.items() if len(fact.source) < 10] == []


def test_the_paper_trains_table_1_as_its_appendix_says() -> None:
    spec = ExperimentSpec.model_validate(laid_over(_document(model=PREACT), preset("paper", network="preact_resnet")))
    assert spec.training.epochs == 1200
    assert spec.training.schedule == Step(kind="step", milestones=(400, 800), factor=0.1)
    assert spec.training.optimiser == Sgd(kind="sgd", lr=0.1, momentum=0.9, nesterov=True, weight_decay=1e-4)
    assert (spec.training.batch_size, spec.training.loss) == (100, "bce")
    assert spec.mixing.model_dump() == {
        "kind": "manifold_mixup",
        "alpha": 2.0,
        "layers": (0, 1, 2),
        "sharing": "batch",
        "pairing": "shuffle",
        "layers_per_batch": 1,
        "stop_gradient": False,
    }


def test_paper_and_readme_disagree_about_the_epochs_of_table_1() -> None:
    paper, readme = (preset(name, network="preact_resnet") for name in ("paper", "readme"))
    assert _paths(paper, readme) == ["training.epochs", "training.schedule.milestones"]
    assert parts(paper)["training"]["epochs"] == 1200
    assert parts(readme)["training"]["epochs"] == 2000
    assert parts(readme)["training"]["schedule"]["milestones"] == [500, 1000, 1500]


def test_paper_and_code_disagree_about_the_eligible_layers_of_the_wide_network() -> None:
    paper, code = (preset(name, network="wide_resnet") for name in ("paper", "code"))
    assert _paths(paper, code) == ["mixing.layers"]
    assert parts(paper)["mixing"]["layers"] == [0, 1]
    assert parts(code)["mixing"]["layers"] == [0, 1, 2]
    assert parts(paper)["training"]["epochs"] == parts(code)["training"]["epochs"] == 400


def test_paper_and_code_agree_about_the_narrow_networks() -> None:
    assert differences(preset("paper", network="preact_resnet"), preset("code", network="preact_resnet")) == ()


def test_the_ablations_are_trained_longer_than_table_1() -> None:
    paper, ablation = (preset(name, network="preact_resnet") for name in ("paper", "paper-ablation"))
    epochs, milestones = differences(paper, ablation)
    assert str(epochs) == (
        "training.epochs: 1200 (Manifold Mixup (arXiv:1806.05236v7), appendix C); "
        "2000 (Manifold Mixup (arXiv:1806.05236v7), appendix C)"
    )
    assert str(milestones).startswith("training.schedule.milestones: (400, 800) (Manifold Mixup")


def test_openmixup_differs_from_the_paper_in_loss_schedule_and_crop() -> None:
    found = {
        difference.path: (difference.one, difference.other)
        for difference in differences(
            preset("paper", network="preact_resnet"), preset("openmixup", network="preact_resnet")
        )
    }
    assert {"training.loss", "training.schedule.kind", "training.optimiser.nesterov", "data.crop_padding"} <= set(found)
    ours, theirs = found["training.loss"]
    assert ours is not None
    assert theirs is not None
    assert (ours.value, theirs.value) == ("bce", "ce")


def test_tiny_imagenet_is_cropped_wider_behind_a_stem_of_stride_2() -> None:
    document = _document(model=PREACT, kind="tiny_imagenet")
    spec = laid_over(document, preset("paper-tiny", network="preact_resnet"))
    assert spec["data"] == {"kind": "tiny_imagenet", "crop_padding": 4}
    assert spec["model"] == {**PREACT, "stem_stride": 2}


def test_a_method_gets_only_the_fields_that_it_has() -> None:
    document = {**_document(model=WIDE), "mixing": {"kind": "erm"}}
    assert laid_over(document, preset("paper", network="wide_resnet"))["mixing"] == {"kind": "erm"}


def test_an_unknown_preset_is_told_with_those_that_there_are() -> None:
    with pytest.raises(SpecError, match=r"no preset 'papr'; allowed: paper, readme, code, "):
        preset("papr", network="wide_resnet")


def test_a_preset_of_other_networks_is_told() -> None:
    with pytest.raises(SpecError, match=r"paper says nothing about 'mlp'; allowed: preact_resnet, wide_resnet"):
        preset("paper", network="mlp")
