import dataclasses
import json
import re
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from mmix.errors import NotFound, RecordsBroken
from mmix.spec.evaluation import is_metric
from mmix.spec.experiment import ExperimentSpec
from mmix.spec.mixing import ConfMix, ManifoldMixup
from mmix.spec.model import PreActResNet
from mmix.suites.published import Setting, checksum, find, matching, record, records, setting_matches, sources
from mmix.suites.published.lookup import load
from mmix.suites.published.sheets import FOLDER

CHECKSUMS = {
    "airbench": "ee44d180f66f13467e6501342f656284340726333036a9a5d0298cfb2772a687",
    "cifar10-sandbox": "190c1ffdd09660c71c5137d25e2d05ca1301f6b14aaab6b969edfd90c1b5f34f",
    "comixup-readme": "399be69f83d21eacb4913beb80eee35b1804335f777e77c245b3e5e32a1264a6",
    "confmix": "8690a4c7b88c0f0fff0a59a327aea69765a8f21c514699d52b8e8263813db73a",
    "cutmix-rerun": "4f775ba542bea6b3c027e721c3dc8be0335dde4d2fa0533140ed705deeee3d92",
    "cutmix2019": "51e6efa25c7faf7ea83a95ea357c0f6b721af0777c67e1b599f5474dc22b2b24",
    "mixup-pytorch-readme": "a49b3b3782e377d51ba7f106cd3dc462cc978b63ce475c118db5a8701656d84e",
    "mixup-quoted": "652adc3c888e5d6e5a88a3cbe2e141c2d342263076cace76b4894bc01ea1767e",
    "mixup-readme": "c076b00e38ba6c74f002ea3c0b22ac2a3333d8453ca59f8edc7b5d23d50e6e4d",
    "mixup2018": "c42c56ffcf1dfee4baa1118fac8ec65d0c6f2ab43197dbf63ecbbb4a36ea581f",
    "mwh-readme": "3d08d99caa8f2be7e1a652eb8ebb9583514f3789516067ef6452c78a773a4d10",
    "openmixup": "fb54367685ca854312ee14ba58091f9ef4f3e8bc412262c596db3e81c2a1ad6e",
    "puzzlemix-readme": "0cfcc26de68a5eeaa412949017422776b42b368f2a173b10a5176e1eaf5a45eb",
    "robustbench": "9f9c4b70caf7ce6835df6acd0375a96b158fe28b3e0cc1cff32093e63959755f",
    "saliencymix2021": "fce3b75f9a1a0bd3768929fea35b9cd047fbad1cdd9781706e5e3af34b247093",
    "verma2019": "35a3ed3cbfed552be486e855a6fb96456d95c418bbfa720af46908dded1d6892",
}


def _spec(**changes: Any) -> ExperimentSpec:
    return ExperimentSpec.model_validate(
        {
            "model": {"kind": "preact_resnet", "depth": 18},
            "data": {"kind": "cifar10"},
            "mixing": {"kind": "manifold_mixup", "alpha": 2.0, "layers": [0, 1, 2]},
            "training": {
                "epochs": 1200,
                "batch_size": 100,
                "loss": "bce",
                "schedule": {"kind": "step", "milestones": [400, 800]},
            },
        }
        | changes
    )


TABLE_1 = "verma2019-table-1a-preactresnet18-manifold-mixup-2-error"


# What the records say


@pytest.mark.parametrize("source", [source.key for source in sources()])
def test_no_published_figure_changes_unnoticed(source: str) -> None:
    assert checksum(find(source=source)) == CHECKSUMS[source]


def test_the_checksums_are_of_all_sources() -> None:
    assert {each.source for each in records()} == set(CHECKSUMS)
    assert len(records()) == 975


@pytest.mark.parametrize(
    ("place", "network", "method", "error", "error_std", "nll", "nll_std"),
    [
        # Typed by hand from the slides and the paper's Table 1: CIFAR-10, then CIFAR-100
        ("1a", "preactresnet18", "no-mixup", 4.83, 0.066, 0.190, 0.003),
        ("1a", "preactresnet18", "input-mixup-1", 3.82, 0.048, 0.186, 0.004),
        ("1a", "preactresnet18", "manifold-mixup-2", 2.95, 0.046, 0.137, 0.003),
        ("1a", "preactresnet34", "no-mixup", 4.64, 0.072, 0.200, 0.002),
        ("1a", "preactresnet34", "input-mixup-1", 2.88, 0.043, 0.176, 0.002),
        ("1a", "preactresnet34", "manifold-mixup-2", 2.54, 0.047, 0.118, 0.002),
        ("1a", "wrn-28-10", "no-mixup", 3.99, 0.118, 0.162, 0.004),
        ("1a", "wrn-28-10", "input-mixup-1", 2.92, 0.088, 0.173, 0.001),
        ("1a", "wrn-28-10", "manifold-mixup-2", 2.55, 0.024, 0.111, 0.001),
        ("1b", "preactresnet18", "no-mixup", 24.01, 0.376, 1.189, 0.002),
        ("1b", "preactresnet18", "input-mixup-1", 22.11, 0.424, 1.055, 0.006),
        ("1b", "preactresnet18", "manifold-mixup-2", 20.34, 0.525, 0.912, 0.002),
        ("1b", "preactresnet34", "no-mixup", 23.55, 0.399, 1.189, 0.002),
        ("1b", "preactresnet34", "input-mixup-1", 20.53, 0.330, 1.039, 0.045),
        ("1b", "preactresnet34", "manifold-mixup-2", 18.35, 0.360, 0.877, 0.053),
        ("1b", "wrn-28-10", "no-mixup", 21.72, 0.117, 1.023, 0.004),
        ("1b", "wrn-28-10", "input-mixup-1", 18.89, 0.111, 0.927, 0.031),
        ("1b", "wrn-28-10", "manifold-mixup-2", 18.04, 0.171, 0.809, 0.005),
    ],
)
def test_every_row_of_the_slides_is_a_record(
    place: str, network: str, method: str, error: float, error_std: float, nll: float, nll_std: float
) -> None:
    errors, nlls = (record(f"verma2019-table-{place}-{network}-{method}-{metric}") for metric in ("error", "nll"))
    assert (errors.original_value, errors.original_spread, errors.original_unit) == (error, error_std, "% error")
    assert (nlls.value, nlls.spread, nlls.original_unit) == (nll, nll_std, "nats")
    assert errors.value == pytest.approx(error / 100)
    assert errors.spread == pytest.approx(error_std / 100)
    assert errors.in_slides
    assert nlls.in_slides
    assert {(each.n, each.spread_kind, each.selection) for each in (errors, nlls)} == {(5, "std", "best_on_test")}


@pytest.mark.parametrize(
    ("id", "value", "origin"),
    [
        ("verma2019-table-1a-preactresnet18-adamix-quoted-error", 0.0352, "Guo et al. (2018), arXiv:1809.02499"),
        ("verma2019-table-1b-preactresnet18-adamix-quoted-error", 0.2097, "Guo et al. (2018), arXiv:1809.02499"),
        (
            "verma2019-table-1a-preactresnet18-input-mixup-quoted-1-error",
            0.0420,
            "Zhang et al. (2018), arXiv:1710.09412",
        ),
        (
            "verma2019-table-1b-preactresnet18-input-mixup-quoted-1-error",
            0.2110,
            "Zhang et al. (2018), arXiv:1710.09412",
        ),
    ],
)
def test_what_the_slides_quote_says_from_whom(id: str, value: float, origin: str) -> None:
    quoted = record(id)
    assert (quoted.value, quoted.origin, quoted.selection) == (value, origin, "unknown")
    assert quoted.in_slides
    assert "quoted" in (quoted.suspicious or "")
    assert quoted.setting.epochs is None  # the paper's own setting is not that of another paper


def test_the_slides_have_no_other_rows() -> None:
    assert len([each for each in records() if each.in_slides]) == 2 * 18 + 4


@pytest.mark.parametrize(
    ("id", "value"),
    [
        # Typed by hand from the papers
        ("verma2019-table-2-wrn-28-10-manifold-mixup-2-error", 0.0206),
        ("verma2019-table-2-preactresnet18-input-mixup-1-nll", 0.212),
        ("verma2019-table-3-preactresnet18-manifold-mixup-0.2-error", 0.4130),
        ("verma2019-table-3-preactresnet18-manifold-mixup-2-top5-error", 0.2831),
        ("verma2019-table-9-preactresnet34-manifold-mixup-2-rotation-20", 0.6008),
        ("verma2019-table-9-preactresnet34-no-mixup-shear-171.9", 0.2238),
        ("verma2019-table-9-preactresnet34-input-mixup-2-zoom-out-180", 0.1802),
        ("verma2019-table-5-cifar-100-preactresnet18-manifold-mixup-s-0-1-2-3-error", 0.1982),
        ("verma2019-table-6-preactresnet18-input-mixup-1.5-error", 0.0316),
        ("verma2019-table-7-cifar-10-preactresnet18-manifold-mixup-2-fgsm", 0.775),
        ("verma2019-section-5.1-preactresnet50-cutout-error", 0.0477),
        ("confmix-table-1-baseline", 0.181),
        ("confmix-table-1-mixup-3", 0.132),
        ("openmixup-cifar10-resnet-18-manifoldmix-2-1200-epochs-error", 0.0298),
        ("openmixup-cifar100-wrn-28-8-puzzlemix-1-error", 0.1498),
        ("cutmix2019-table-5-pyramidnet-200-manifold-mixup-1-error", 0.1614),
        ("cutmix2019-table-7-pyramidnet-200-cutmix-1-error", 0.0288),
        ("saliencymix2021-table-1-cifar-100-resnet-18-saliencymix-error", 0.1929),
        ("airbench-airbench95-device-seconds", 10.4),
    ],
)
def test_figures_are_in_our_units(id: str, value: float) -> None:
    assert record(id).value == value


def test_what_only_differs_from_a_baseline_says_so() -> None:
    table = find(source="confmix", locator="Table 2")
    assert [(each.method, each.value) for each in table] == [
        ("Input Mixup", -0.019),
        ("Input ConfMix", -0.034),
        ("1/2 Input ConfMix", -0.024),
        ("Input Mixup alpha from 0 to 1", -0.031),
        ("Input Mixup alpha from 1 to 0", -0.031),
        ("Manifold Mixup", -0.037),
        ("Manifold ConfMix", -0.037),
        ("1/2 Manifold ConfMix", -0.029),
        ("Manifold Mixup alpha from 0 to 1", -0.039),
        ("Manifold Mixup alpha from 1 to 0", -0.026),
    ]
    assert {(each.metric, each.baseline) for each in table} == {("error", "erm")}
    assert [each for each in records() if each.baseline and each.source != "confmix"] == []


# What holds for all of them


def test_every_metric_is_one_of_ours() -> None:
    assert [each.id for each in records() if each.metric is not None and not is_metric(each.metric)] == []


def test_every_fraction_is_one() -> None:
    shares = [each for each in records() if each.original_unit.startswith("%")]
    assert len(shares) > 800
    assert [each.id for each in shares if not 0 <= each.value <= 1] == []


def test_an_accuracy_is_an_error_where_our_metric_is_one() -> None:
    accuracies = [each for each in records() if each.original_unit == "% accuracy"]
    as_errors = [each for each in accuracies if each.metric in ("error", "top5_error")]
    as_accuracies = [each for each in accuracies if each not in as_errors]
    assert [each.value for each in as_errors] == [pytest.approx(1 - each.original_value / 100) for each in as_errors]
    assert [each.value for each in as_accuracies] == [
        pytest.approx(each.original_value / 100) for each in as_accuracies
    ]
    assert {each.metric for each in as_accuracies if each.metric and "accuracy" not in each.metric} == set()


def test_a_spread_has_its_kind_and_nothing_else_has_one() -> None:
    assert [each.id for each in records() if (each.spread is None) != (each.spread_kind is None)] == []
    assert {each.source for each in records() if each.spread_kind == "std"} == {"verma2019", "saliencymix2021"}


def test_a_method_has_one_kind() -> None:
    assert [each.id for each in records() if each.mixing and each.mixing.kind != each.mixing_kind] == []


def test_what_is_assumed_names_what_it_assumes() -> None:
    known = {*Setting.model_fields, "alpha"}
    assert {name for each in records() for name in each.setting.assumed} <= known


def test_every_record_is_json_data() -> None:
    again = json.loads(json.dumps([each.document() for each in records()], allow_nan=False))
    assert [each["id"] for each in again] == [each.id for each in records()]
    assert [id for id in (each["id"] for each in again) if not re.fullmatch(r"[a-z0-9][a-z0-9.-]*", id)] == []


def test_ids_are_unique() -> None:
    assert [id for id, count in Counter(each.id for each in records()).items() if count > 1] == []


def test_a_record_can_not_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        record(TABLE_1).value = 0.02  # type: ignore[misc]


@pytest.mark.parametrize(
    ("source", "locator", "word"),
    [
        ("verma2019", "Table 7", "eps"),
        ("verma2019", "Appendix D", "neither data nor network"),
        ("confmix", "Table 1", "absolute or relative"),
        ("confmix", "Table 2", "points of accuracy"),
        ("cutmix2019", "Table 11", "eps"),
        ("cifar10-sandbox", "README", "which repository"),
        ("mixup2018", "Figure 3(a)", "from memory"),
        ("mixup-quoted", "issue 19", "second-hand"),
    ],
)
def test_whole_tables_in_doubt_are_flagged(source: str, locator: str, word: str) -> None:
    table = find(source=source, locator=locator)
    assert table
    assert [each.id for each in table if word not in (each.suspicious or "")] == []


def test_the_nll_that_two_networks_share_is_flagged_at_both() -> None:
    flagged = [each for each in records() if each.value == 1.189]
    assert [each.model_words for each in flagged] == ["PreActResNet18", "PreActResNet34"]
    assert all("same to the last digit" in (each.suspicious or "") for each in flagged)


def test_what_was_quoted_is_flagged() -> None:
    quoted = [each for each in records() if each.origin != "own"]
    assert len(quoted) == 8
    assert all("quoted" in (each.suspicious or "") for each in quoted)


def test_what_nobody_checked_is_not_called_verified() -> None:
    assert {each.source for each in records() if not each.verified} == {"mixup2018"}


def test_fgsm_without_eps_is_no_metric_of_ours() -> None:
    attacked = [each for each in records() if each.measure == "accuracy under FGSM"]
    assert len(attacked) == 14
    assert {each.metric for each in attacked} == {None}
    (known,) = find(metric="fgsm_accuracy@pixel:8/255")
    assert known.setting.eps == "8/255"


def test_each_source_has_its_rule_of_which_epoch_counts() -> None:
    rules = {(each.source, each.selection) for each in records() if each.metric == "error" and each.origin == "own"}
    assert {("verma2019", "best_on_test"), ("cutmix2019", "best_on_test"), ("confmix", "unknown")} <= rules
    assert {rule for source, rule in rules if source == "openmixup"} == {"median_of_last_ten", "best_on_test"}
    assert {rule for source, rule in rules if source == "cutmix-rerun"} == {"last", "best_on_test"}
    assert "issue 10" in (record(TABLE_1).selection_source or "")


def test_methods_are_said_as_parts_of_specs_where_they_can_be() -> None:
    assert record(TABLE_1).mixing == ManifoldMixup(kind="manifold_mixup", alpha=2.0, layers=(0, 1, 2))
    half = ConfMix(kind="confmix", layers=(2,), warmup_epochs=5, scale=0.5)
    assert record("confmix-table-2-half-manifold-confmix").mixing == half
    unsaid = record("openmixup-cifar10-resnet-18-manifoldmix-2-1200-epochs-error")  # its layers aren't stated
    assert (unsaid.mixing, unsaid.mixing_kind, unsaid.alpha) == (None, "manifold_mixup", "2")


def test_what_is_known_from_elsewhere_says_whence() -> None:
    setting = record(TABLE_1).setting
    assert setting.batch_size == 100
    assert set(setting.assumed) == {"batch_size", "nesterov", "loss", "crop_padding", "flip"}


# Looking up


def test_records_are_found_by_what_they_are_about() -> None:
    found = find(
        source="verma2019",
        locator="Table 1(a)",
        data="cifar10",
        model=PreActResNet(kind="preact_resnet", depth=34),
        mixing="erm",
        metric="nll",
    )
    assert [each.value for each in found] == [0.2]


def test_an_unknown_id_is_told_with_the_nearest() -> None:
    with pytest.raises(NotFound, match="'confmix-table-1-mixup-9'; the nearest are confmix-table-1-mixup-"):
        record("confmix-table-1-mixup-9")


def test_a_spec_finds_the_figures_of_its_data_network_and_method() -> None:
    assert [(each.locator.split(";")[0], each.value) for each in matching(_spec(), "error")] == [
        ("Table 1(a)", 0.0295),
        ("Table 5", 0.0277),
        ("Table 6", 0.0277),
    ]


@pytest.mark.parametrize(
    "changes",
    [
        {"data": {"kind": "svhn"}},
        {"model": {"kind": "preact_resnet", "depth": 18, "width": 16}},
        {"mixing": {"kind": "manifold_mixup", "alpha": 2.0, "layers": [0, 1, 2], "layers_per_batch": 2}},
        {"mixing": {"kind": "manifold_mixup", "alpha": 2.0, "layers": [0, 1, 2], "stop_gradient": True}},
        {"mixing": {"kind": "manifold_mixup", "alpha": 4.0, "layers": [0, 1, 2]}},
    ],
)
def test_another_network_or_method_finds_other_figures(changes: dict[str, Any]) -> None:
    assert TABLE_1 not in [each.id for each in matching(_spec(**changes), "error")]


def test_differences_stand_beside_no_absolute_result() -> None:
    spec = _spec(model={"kind": "convnet"}, mixing={"kind": "input_mixup", "alpha": 0.5})
    assert matching(spec, "error") == ()


# How alike


def test_the_papers_own_setting_is_the_same() -> None:
    assert setting_matches(record(TABLE_1), _spec()) == (True, True, ())


def test_a_shorter_run_has_the_same_setting_and_another_budget() -> None:
    short = {"epochs": 30, "batch_size": 100, "loss": "bce", "schedule": {"kind": "step", "milestones": [10, 20]}}
    assert setting_matches(record(TABLE_1), _spec(training=short)) == (True, False, ("epochs: 1200 there, 30 here",))


@pytest.mark.parametrize(
    ("part", "fields", "difference"),
    [
        ("training", {"loss": "ce"}, "loss: bce there (the authors' code; the captions of Figures 6 and 7), ce here"),
        ("training", {"batch_size": 128}, "batch_size: 100 there (the authors' code), 128 here"),
        ("training", {"optimiser": {"kind": "sgd", "lr": 0.2}}, "lr: 0.1 there, 0.2 here"),
        (
            "training",
            {"optimiser": {"kind": "sgd", "nesterov": False}},
            "nesterov: yes there (the authors' code), no here",
        ),
        ("training", {"optimiser": {"kind": "sgd", "weight_decay": 5e-4}}, "weight_decay: 0.0001 there, 0.0005 here"),
        (
            "training",
            {"schedule": {"kind": "step", "milestones": [400, 900]}},
            "milestones: {400, 800} there, {400, 900} here",
        ),
        ("training", {"schedule": {"kind": "cosine"}}, "schedule: step there, cosine here"),
        ("training", {"schedule": {"kind": "step"}}, "schedule: step there, constant here"),
        ("data", {"crop_padding": 4}, "crop_padding: 2 there (the authors' code), 4 here"),
        ("data", {"flip": False}, "flip: yes there (the authors' code), no here"),
        ("data", {"train_size": 5000}, "train_size: all there, 5000 here"),
        ("data", {"validation_size": 5000}, "validation_size: 0 there, 5000 here"),
        ("data", {"label_noise": 0.5}, "label_noise: 0 there, 0.5 here"),
        ("model", {"depth": 34}, "model.depth: 18 there, 34 here"),
        ("model", {"final_norm": True}, "model.final_norm: not stated there, yes here"),
        ("mixing", {"layers": [0, 1]}, "mixing.layers: {0, 1, 2} there, {0, 1} here"),
        ("mixing", {"alpha": 1.0}, "mixing.alpha: 2 there, 1 here"),
        ("mixing", {"alpha": {"kind": "rising", "half_life": 25}}, "mixing.alpha: 2 there, rising 25 here"),
        ("mixing", {"sharing": "sample"}, "mixing.sharing: not stated there, sample here"),
    ],
)
def test_each_difference_is_named(part: str, fields: dict[str, Any], difference: str) -> None:
    whole = _spec().model_dump(mode="json")
    found = setting_matches(record(TABLE_1), _spec(**{part: {**whole[part], **fields}}))
    assert found == (False, True, (difference,))


def test_other_data_are_a_difference() -> None:
    assert setting_matches(record(TABLE_1), _spec(data={"kind": "cifar100"})).differences == (
        "data: cifar10 there, cifar100 here",
    )


def test_what_the_source_leaves_open_is_never_the_same() -> None:
    spec = ExperimentSpec.model_validate(
        {
            "model": {"kind": "mlp", "hidden": [512, 512, 512]},
            "data": {"kind": "gaussian_mixture"},
            "mixing": {"kind": "manifold_mixup", "alpha": 0.5, "layers": [3], "sharing": "sample"},
            "training": {"epochs": 20, "batch_size": 50, "optimiser": {"kind": "adam"}},
            "evaluation": {"attacks": []},
        }
    )
    assert setting_matches(record("confmix-table-1-mixup-3"), spec) == (
        False,
        True,
        (
            "loss: not stated there, ce here",
            "optimiser: not stated there, adam here",
            "lr: not stated there, 0.001 here",
            "weight_decay: not stated there, 0 here",
            "schedule: not stated there, constant here",
        ),
    )


def test_a_method_that_can_not_be_said_is_a_difference() -> None:
    unsaid = record("openmixup-cifar10-resnet-18-manifoldmix-2-1200-epochs-error")
    found = setting_matches(unsaid, _spec())
    assert not found.same_setting
    assert found.same_budget
    assert "mixing: ManifoldMix there, manifold_mixup here" in found.differences
    assert "model: ResNet-18 there, preact_resnet here" in found.differences
    assert "nesterov: not stated there, yes here" in found.differences


# Files that are none


def _changed(tmp_path: Path, changes: dict[str, object], *, row: int) -> Path:
    document = json.loads((FOLDER / "confmix.json").read_text())
    document["tables"][0]["rows"][row].update(changes)
    (tmp_path / "confmix.json").write_text(json.dumps(document))
    return tmp_path


def test_two_records_that_contradict_each_other_are_refused_by_name(tmp_path: Path) -> None:
    document = json.loads((FOLDER / "confmix.json").read_text())
    rows = document["tables"][0]["rows"]
    rows.append({**rows[4], "id": "confmix-table-1-mixup-3-again", "value": 12.3})
    (tmp_path / "confmix.json").write_text(json.dumps(document))
    with pytest.raises(RecordsBroken) as caught:
        load(tmp_path)
    assert "confmix-table-1-mixup-3 says 13.2 [% excess risk]" in str(caught.value)
    assert "confmix-table-1-mixup-3-again says 12.3 [% excess risk]" in str(caught.value)


def test_two_records_of_one_id_are_refused(tmp_path: Path) -> None:
    folder = _changed(tmp_path, {"id": "confmix-table-1-mixup-2"}, row=4)
    with pytest.raises(RecordsBroken, match=r"13.8 .* confmix-table-1-mixup-2 says 13.2"):
        load(folder)


def test_the_files_as_they_are_contradict_nothing(tmp_path: Path) -> None:
    shutil.copytree(FOLDER, tmp_path / "sources")
    assert load(tmp_path / "sources") == records()


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"metric": "eror"}, "metric 'eror' is none of mmix's"),
        ({"data": "CIFAR-11"}, "data 'CIFAR-11' is not among the sheet's"),
        ({"model": "AlexNet"}, "model 'AlexNet' is not among the sheet's"),
        ({"setting": "forever"}, "setting 'forever' is not among the sheet's"),
        ({"value": 181}, "1.81 is no fraction"),
        ({"spread": 0.5}, "a spread and its kind belong together"),
        ({"mixing": {"kind": "manifold"}}, "mixing.kind: "),
        ({"mixing": None, "mixing_kind": "manifold"}, "mixing is one of confmix, cutmix, "),
        ({"unit": "points of accuracy"}, "a difference in points needs a baseline"),
        ({"unit": "per mille"}, "unit: "),
        ({"selection": "best"}, "selection: "),
        ({"colour": "blue"}, "colour: "),
        ({"metric": None}, "a row needs a metric or a measure in words"),
    ],
)
def test_a_row_that_can_not_be_is_refused_with_its_place(tmp_path: Path, changes: dict[str, object], told: str) -> None:
    with pytest.raises(RecordsBroken, match=re.escape(told)) as caught:
        load(_changed(tmp_path, changes, row=0))
    assert str(caught.value).startswith("confmix, ")
    assert "confmix-table-1-baseline: " in str(caught.value)


def test_a_file_that_is_no_json_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "rumours.json").write_text("{")
    with pytest.raises(RecordsBroken, match=r"rumours.json can't be read"):
        load(tmp_path)
