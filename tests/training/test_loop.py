import math
from typing import Any, get_args

import pytest
import torch

from mmix.data.loader import Batch
from mmix.errors import Diverged
from mmix.mixing.plan import Plan, blending
from mmix.mixing.tables import Tables
from mmix.models.staged import Staged
from mmix.spec.mixing import Mixing
from mmix.spec.optimisation import Precision
from mmix.training.learner import Learner
from mmix.training.loop import Epoch, step, train
from mmix.training.precision import repeatable
from tests.training.conftest import Make

CPU = torch.device("cpu")
PARTNER = torch.tensor([3, 5, 1, 0, 4, 2])
PRECISIONS = get_args(Precision)
MODELS: tuple[dict[str, Any], ...] = (
    {"kind": "mlp", "hidden": [16, 12]},
    {"kind": "convnet"},
    {"kind": "preact_resnet", "width": 4},
)
ERM = {"kind": "erm"}
MIXING: tuple[dict[str, Any], ...] = (
    {"kind": "input_mixup", "alpha": 1.0},
    {"kind": "input_mixup", "alpha": 1.0, "sharing": "sample", "pairing": "two_batches"},
    {"kind": "manifold_mixup", "alpha": 2.0, "layers": [0, 1, 2]},
    {"kind": "manifold_mixup", "alpha": 2.0, "layers": [1, 2], "pairing": "two_batches"},
    {"kind": "manifold_mixup", "alpha": 2.0, "layers": [0, 1, 2], "layers_per_batch": 2, "stop_gradient": True},
    {"kind": "manifold_mixup", "alpha": {"kind": "falling", "half_life": 2.0}, "layers": [2], "sharing": "sample"},
    {"kind": "confmix", "warmup_epochs": 0},
    {"kind": "confmix", "layers": [1, 2], "warmup_epochs": 1, "scale": 0.5, "confidence": "epoch"},
    {"kind": "cutmix"},
    {"kind": "cutmix", "probability": 0.9, "sharing": "sample"},
    {"kind": "cutout", "size": 4},
    {"kind": "label_smoothing"},
)


def weights(trained: Learner) -> dict[str, torch.Tensor]:
    return {name: tensor.clone() for name, tensor in trained.model.state_dict().items()}


def same_weights(one: Learner, other: Learner) -> bool:
    return all(torch.equal(weights(one)[name], tensor) for name, tensor in weights(other).items())


def epochs(trained: Learner, count: int = 3) -> list[Epoch]:
    return [epoch for _, epoch in zip(range(count), train(trained, done=0), strict=False)]


def test_every_method_is_tested_here() -> None:
    kinds = {member.model_fields["kind"].annotation for member in get_args(get_args(Mixing)[0])}
    assert {get_args(kind)[0] for kind in kinds} == {mixing["kind"] for mixing in (ERM, *MIXING)}


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("loss", ["ce", "bce", "mse"])
@pytest.mark.parametrize("model", MODELS)
def test_lambda_one_trains_exactly_as_erm(make: Make, model: dict[str, Any], loss: str, precision: str) -> None:
    with repeatable(device=CPU, threads=1):
        for layer in range(3):
            plain, mixed = (make(model=model, loss=loss, precision=precision) for _ in range(2))
            plan = blending(layer, lam=torch.tensor(1.0), partner=PARTNER)
            for batch in plain.loader.epoch(0):
                outcomes = step(plain, batch, Plan()), step(mixed, batch, plan)
                assert torch.equal(outcomes[0][0], outcomes[1][0])
                assert torch.equal(outcomes[0][1], outcomes[1][1])
            assert same_weights(plain, mixed)


@pytest.mark.parametrize("mixing", MIXING)
def test_all_methods_of_one_seed_see_the_same_start_and_the_same_batches(make: Make, mixing: dict[str, Any]) -> None:
    erm, other = make(), make(mixing)
    assert same_weights(erm, other)
    next(train(other, done=0))
    for epoch in range(2):
        for one, two in zip(erm.loader.epoch(epoch), other.loader.epoch(epoch), strict=True):
            assert torch.equal(one.x, two.x)
            assert torch.equal(one.y, two.y)


@pytest.mark.parametrize("mixing", MIXING)
def test_every_method_makes_a_difference_within_two_epochs(make: Make, mixing: dict[str, Any]) -> None:
    erm, other = make(), make(mixing)
    first, second = epochs(erm, 2), epochs(other, 2)
    assert [epoch.loss for epoch in first] != [epoch.loss for epoch in second]
    assert not same_weights(erm, other)


@pytest.mark.parametrize(
    "mixing",
    [
        {"kind": "confmix", "warmup_epochs": 2},
        {"kind": "confmix", "warmup_epochs": 2, "confidence": "epoch"},
        {"kind": "input_mixup", "alpha": {"kind": "linear", "start": 0, "end": 0}},
        {"kind": "manifold_mixup", "alpha": {"kind": "linear", "start": 0, "end": 0}, "layers": [0, 1, 2]},
        {"kind": "cutmix", "alpha": {"kind": "linear", "start": 0, "end": 0}},
    ],
)
def test_a_method_that_does_not_mix_yet_trains_exactly_as_erm(make: Make, mixing: dict[str, Any]) -> None:
    with repeatable(device=CPU, threads=1):
        erm, other = make(), make(mixing)
        first, second = epochs(erm, 2), epochs(other, 2)
    assert [(epoch.loss, epoch.accuracy) for epoch in first] == [(epoch.loss, epoch.accuracy) for epoch in second]
    assert same_weights(erm, other)


def test_a_stopped_gradient_leaves_what_lies_below_as_it_was(make: Make) -> None:
    mixing = {"kind": "manifold_mixup", "alpha": 2.0, "layers": [1], "stop_gradient": True}
    trained = make(mixing, optimiser={"kind": "sgd", "weight_decay": 0.0})
    before = weights(trained)
    epochs(trained, 1)
    moved = {name for name, tensor in weights(trained).items() if not torch.equal(before[name], tensor)}
    assert moved == {name for name in before if not name.startswith("stages.0.")}


def test_a_gradient_stopped_at_the_input_changes_nothing(make: Make) -> None:
    mixing = {"kind": "manifold_mixup", "alpha": 2.0, "layers": [0]}
    free, stopped = make(mixing), make({**mixing, "stop_gradient": True})
    assert [epoch.loss for epoch in epochs(free)] == [epoch.loss for epoch in epochs(stopped)]


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("model", MODELS)
def test_every_model_learns_in_every_precision(make: Make, model: dict[str, Any], precision: str) -> None:
    trained = make(MIXING[2], model=model, precision=precision)
    before = weights(trained)
    found = epochs(trained)
    assert [epoch.number for epoch in found] == [1, 2, 3]
    assert all(epoch.images == 24 and 0 <= epoch.accuracy <= 1 for epoch in found)
    assert not any(torch.equal(before[name], tensor) for name, tensor in weights(trained).items() if "weight" in name)


@pytest.mark.parametrize("mixing", [ERM, *MIXING])
def test_every_method_fits_its_own_labels(make: Make, mixing: dict[str, Any]) -> None:
    found = epochs(make(mixing, epochs=15, optimiser={"kind": "adam", "lr": 0.01}), 15)
    assert found[-1].loss < found[0].loss


def test_training_goes_on_after_the_epochs_that_are_done(make: Make) -> None:
    assert [epoch.number for epoch in train(make(), done=2)] == [3]
    assert list(train(make(), done=3)) == []


@pytest.mark.parametrize(("precision", "dtype"), [("bf16", torch.bfloat16), ("fp16", torch.float16)])
def test_activations_keep_their_precision_when_mixed(make: Make, precision: str, dtype: torch.dtype) -> None:
    seen = []
    trained = make(model={"kind": "convnet"}, precision=precision)
    assert isinstance(trained.model, Staged)
    trained.model.stages[1].register_forward_pre_hook(lambda _, given: seen.append(given[0].dtype))
    loss, _ = step(trained, next(trained.loader.epoch(0)), blending(1, lam=torch.rand(6), partner=PARTNER))
    assert seen == [dtype]
    assert loss.dtype == torch.float32


@pytest.mark.parametrize("precision", PRECISIONS)
def test_the_gradient_of_a_step_is_clipped_to_its_norm(make: Make, precision: str) -> None:
    sgd = {"kind": "sgd", "lr": 1.0, "momentum": 0.0, "nesterov": False, "weight_decay": 0.0}
    clipped, free = (make(optimiser=sgd, precision=precision, clip_norm=norm) for norm in (1e-3, None))
    moves = []
    for trained in (clipped, free):
        before = weights(trained)
        step(trained, next(trained.loader.epoch(0)), Plan())
        moves.append(torch.cat([(before[name] - tensor).flatten() for name, tensor in weights(trained).items()]))
    # torch divides by the norm plus 1e-6, and a step loses the last bits of the weights
    assert moves[0].norm().item() == pytest.approx(1e-3, rel=1e-3)
    assert moves[1].norm() > 0.1
    torch.testing.assert_close(moves[0] / moves[0].norm(), moves[1] / moves[1].norm(), atol=1e-4, rtol=1e-3)


def test_a_gradient_below_the_norm_is_left_alone(make: Make) -> None:
    clipped, free = make(clip_norm=1e6), make()
    assert [epoch.loss for epoch in epochs(clipped)] == [epoch.loss for epoch in epochs(free)]


class Failing(torch.nn.Module):
    """A network whose outputs are no numbers in its seventh training step."""

    def __init__(self) -> None:
        super().__init__()
        self.linear, self.steps = torch.nn.Linear(64, 5), 0

    def forward(self, x: torch.Tensor, plan: Plan | None = None) -> torch.Tensor:
        self.steps += 1
        logits: torch.Tensor = self.linear(x.flatten(1))
        return logits * math.nan if self.steps == 7 else logits


@pytest.mark.parametrize("precision", PRECISIONS)
def test_a_loss_that_is_no_number_ends_training_with_epoch_and_step(make: Make, precision: str) -> None:
    found = train(make(network=Failing(), precision=precision), done=0)
    assert next(found).number == 1
    with pytest.raises(Diverged, match=r"is nan in epoch 2, step 3 of 4: lower training\.optimiser\.lr"):
        next(found)


def test_a_step_that_fp16_skips_is_no_divergence(make: Make) -> None:
    trained = make(precision="fp16")
    trained.scaler.load_state_dict(trained.scaler.state_dict() | {"scale": 2.0**40})  # gradients overflow at first
    before = weights(trained)
    found = epochs(trained, 1)
    assert math.isfinite(found[0].loss)
    assert trained.scaler.get_scale() == 2.0**36
    assert all(torch.equal(before[name], tensor) for name, tensor in weights(trained).items())


def test_confmix_reports_its_alphas(make: Make) -> None:
    warm, *mixed = epochs(make({"kind": "confmix", "warmup_epochs": 1}))
    assert warm.mixing == {}
    for epoch in mixed:
        shares = {name: value for name, value in epoch.mixing.items() if name != "confmix_alpha"}
        assert set(shares) == {f"confmix_alpha_share@0.{n}-{m}" for n, m in ((0, "0.2"), (2, "0.4"), (4, "0.6"))} | {
            "confmix_alpha_share@0.6-0.8",
            "confmix_alpha_share@0.8-1.0",
        }
        assert sum(shares.values()) == pytest.approx(1)
        assert 0 < epoch.mixing["confmix_alpha"] < 1


def test_methods_without_confidence_report_no_alphas(make: Make) -> None:
    assert all(epoch.mixing == {} for epoch in epochs(make(MIXING[2])))


def test_the_first_epoch_without_warm_up_knows_no_confidence(make: Make) -> None:
    first, second, *_ = epochs(make({"kind": "confmix", "warmup_epochs": 0, "confidence": "epoch"}))
    assert first.mixing["confmix_alpha"] == pytest.approx(0, abs=1e-6)
    assert second.mixing["confmix_alpha"] > 0.01


def test_remembered_confidences_are_those_of_the_clean_images_after_the_epoch(make: Make) -> None:
    trained = make({"kind": "confmix", "confidence": "epoch"}, model=MODELS[2])
    epochs(trained, 1)
    (batch,) = trained.loader.clean(24)
    with torch.no_grad():
        expected = trained.model.eval()(batch.x).softmax(1).amax(1)
    assert trained.memory is not None
    assert trained.memory.tolist() == pytest.approx(expected.tolist(), abs=1e-6)


def test_asking_for_confidence_leaves_running_statistics_alone(make: Make) -> None:
    asked, plain = (
        make(mixing, model=MODELS[2], epochs=1) for mixing in ({"kind": "confmix", "warmup_epochs": 0}, ERM)
    )
    epochs(asked), epochs(plain)
    counts = [weights(trained)["stages.0.1.norm1.num_batches_tracked"].item() for trained in (asked, plain)]
    assert counts == [4, 4]


def test_two_batches_are_one_batch_of_twice_the_size_below_the_mixing_layer(make: Make) -> None:
    seen: list[int] = []
    trained = make({"kind": "manifold_mixup", "alpha": 2.0, "layers": [1], "pairing": "two_batches"})
    assert isinstance(trained.model, Staged)
    for stage in trained.model.stages:
        stage.register_forward_pre_hook(lambda _, given: seen.append(len(given[0])))
    epochs(trained, 1)
    assert seen == [12, 6] * 4


def test_the_partners_of_two_batches_are_the_second_order(make: Make) -> None:
    trained = make({"kind": "input_mixup", "alpha": 1.0, "pairing": "two_batches"})
    first, second = (next(trained.loader.epoch(0, purpose=order)) for order in ("order", "second_order"))
    plan = trained.policy.epoch(Tables(0, 0, trained.loader.sizes))[0]
    assert isinstance(plan, Plan)
    seen: list[torch.Tensor] = []
    trained.model.register_forward_pre_hook(lambda _, given: seen.append(given[1].at(0, given[0])))
    epochs(trained, 1)
    lam = plan.state.lam  # type: ignore[attr-defined]
    torch.testing.assert_close(seen[0], lam * first.x + (1 - lam) * second.x)


def test_repeatable_puts_torchs_state_back() -> None:
    before = torch.are_deterministic_algorithms_enabled(), torch.get_num_threads()
    with repeatable(device=CPU, threads=1):
        assert torch.are_deterministic_algorithms_enabled()
        assert torch.get_num_threads() == 1
    assert (torch.are_deterministic_algorithms_enabled(), torch.get_num_threads()) == before


def test_an_epoch_trains_in_training_mode_whatever_the_mode_before(make: Make) -> None:
    trained = make(model=MODELS[2])
    trained.model.eval()
    before = weights(trained)
    next(train(trained, done=0))
    assert not any(
        torch.equal(before[name], tensor) for name, tensor in weights(trained).items() if "running_mean" in name
    )


def test_the_rate_of_each_epoch_is_the_schedules(make: Make) -> None:
    trained = make()
    rates = [(epoch.lr, trained.optimiser.param_groups[0]["lr"]) for epoch in train(trained, done=0)]
    expected = [0.1 * 0.5 * (1 + math.cos(math.pi * epoch / 3)) for epoch in range(3)]
    assert rates == [pytest.approx((rate, rate)) for rate in expected]


def test_a_mixed_step_reports_the_accuracy_weighted_by_lambda(make: Make) -> None:
    trained = make()
    batch = next(trained.loader.epoch(0))
    with torch.no_grad():
        predicted = trained.model(batch.x).argmax(1)
    batch = Batch(batch.x, predicted, batch.index)  # labels that the network gets right, without mixing
    plan = blending(2, lam=torch.tensor(1.0), partner=PARTNER)
    assert step(trained, batch, plan)[1] == 1
