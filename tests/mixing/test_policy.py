import hashlib
import subprocess
import sys
from collections.abc import Sequence
from typing import get_args

import pytest
import torch
from torch import Tensor, nn

from mmix.errors import SpecError
from mmix.mixing.blend import Blend
from mmix.mixing.draw import generator
from mmix.mixing.mixup import Mixup
from mmix.mixing.plan import Plan
from mmix.mixing.policy import Draw, policy, takes_two_batches
from mmix.mixing.tables import Tables
from mmix.spec.mixing import (
    ConfMix,
    CutMix,
    Cutout,
    Erm,
    InputMixup,
    LabelSmoothing,
    ManifoldMixup,
    Mixing,
    Sharing,
    layers_of,
    needs_pixels,
)
from mmix.spec.part import Linear, Rising

MIXING: tuple[Mixing, ...] = (
    Erm(kind="erm"),
    InputMixup(kind="input_mixup", alpha=1.0),
    InputMixup(kind="input_mixup", alpha=0.2, sharing="sample"),
    InputMixup(kind="input_mixup", alpha=1.0, pairing="two_batches"),
    ManifoldMixup(kind="manifold_mixup", alpha=2.0, layers=(0, 2, 3)),
    ManifoldMixup(kind="manifold_mixup", alpha=0.5, layers=(1,), sharing="sample"),
    ManifoldMixup(kind="manifold_mixup", alpha=0.5, layers=(0, 1), sharing="sample", pairing="two_batches"),
    ManifoldMixup(kind="manifold_mixup", alpha=2.0, layers=(0, 1, 2, 3), layers_per_batch=2),
    ManifoldMixup(kind="manifold_mixup", alpha=2.0, layers=(0, 1, 2), layers_per_batch=3, sharing="sample"),
    ManifoldMixup(kind="manifold_mixup", alpha=2.0, layers=(0, 1, 2), stop_gradient=True),
    ConfMix(kind="confmix", layers=(0,), warmup_epochs=0),
    ConfMix(kind="confmix", layers=(1, 3), warmup_epochs=0, scale=0.5, confidence="epoch"),
    CutMix(kind="cutmix"),
    CutMix(kind="cutmix", alpha=0.5, probability=0.5, sharing="sample"),
    Cutout(kind="cutout", size=3),
    LabelSmoothing(kind="label_smoothing"),
)
BLENDING = [mixing for mixing in MIXING if not needs_pixels(mixing)]
SIZES = (50, 50, 37)
SHAPE, CLASSES = (3, 8, 8), 5


def draws_of(mixing: Mixing, *, seed: int = 0, epoch: int = 0, sizes: tuple[int, ...] = SIZES) -> Sequence[Draw]:
    found = policy(mixing, shape=SHAPE, classes=CLASSES, epochs=10)
    return found.epoch(Tables(seed, epoch, sizes))


def settled(draw: Draw, *, confidence: float = 0.7) -> Plan:
    if isinstance(draw, Plan):
        return draw
    return draw.plan(draw.alpha(torch.full((len(draw.partner),), confidence)))


def plans_of(mixing: Mixing, *, seed: int = 0, epoch: int = 0, sizes: tuple[int, ...] = SIZES) -> list[Plan]:
    return [settled(draw) for draw in draws_of(mixing, seed=seed, epoch=epoch, sizes=sizes)]


def images(mixing: Mixing, size: int) -> Tensor:
    count = 2 * size if takes_two_batches(mixing) else size
    x = torch.rand(count, *SHAPE, generator=torch.Generator().manual_seed(count))
    return x.to(memory_format=torch.channels_last)


def throughout(plan: Plan, x: Tensor) -> Tensor:
    for point in range(5):
        x = plan.at(point, x)
    return x


def fingerprint(mixing: Mixing, epoch: int) -> str:
    """What an epoch's plans do to images and to labels, in a few letters."""
    digest = hashlib.sha256()
    for plan, size in zip(plans_of(mixing, seed=4, epoch=epoch), SIZES, strict=True):
        x = images(mixing, size)
        digest.update(str(plan.layers).encode())
        digest.update(throughout(plan, x).contiguous().numpy().tobytes())
        digest.update(plan.label(x[:, 0, 0]).numpy().tobytes())
    return digest.hexdigest()


def test_every_method_is_tested_here() -> None:
    assert {type(mixing) for mixing in MIXING} == set(get_args(get_args(Mixing)[0]))


@pytest.mark.parametrize("mixing", MIXING)
def test_every_batch_has_a_plan_of_its_size_that_keeps_dtype_and_memory_format(mixing: Mixing) -> None:
    plans = plans_of(mixing)
    assert len(plans) == len(SIZES)
    for plan, size in zip(plans, SIZES, strict=True):
        mixed = throughout(plan, images(mixing, size).bfloat16())
        assert mixed.shape == (size, *SHAPE)
        assert mixed.dtype == torch.bfloat16
        assert mixed.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("mixing", MIXING)
def test_labels_stay_distributions(mixing: Mixing) -> None:
    for plan, size in zip(plans_of(mixing), SIZES, strict=True):
        label = plan.label(nn.functional.one_hot(torch.arange(len(images(mixing, size))) % CLASSES).float())
        assert label.min() >= 0
        torch.testing.assert_close(label.sum(1), torch.ones(size))


@pytest.mark.parametrize("mixing", MIXING)
def test_layers_lie_in_the_set_and_visit_all_of_it_evenly(mixing: Mixing) -> None:
    plans = plans_of(mixing, seed=1, sizes=(2,) * 2000)
    assert {layer for plan in plans for layer in plan.layers} == set(layers_of(mixing))
    each = {len(set(plan.layers)) for plan in plans}
    assert each == (
        {mixing.layers_per_batch} if isinstance(mixing, ManifoldMixup) else {min(1, len(layers_of(mixing)))}
    )
    counts = [sum(layer in plan.layers for plan in plans) for layer in layers_of(mixing)]
    share = sum(counts) / max(len(counts), 1)
    # chi-square with at most three degrees of freedom: a fair draw is above 30 once in 700,000
    assert sum((count - share) ** 2 / share for count in counts) < 30


@pytest.mark.parametrize("mixing", MIXING)
def test_lambda_one_is_the_identity(mixing: Mixing) -> None:
    still = mixing.model_copy(update={"alpha": Rising(kind="rising", half_life=5.0)})  # 0 in the first epoch
    y = torch.arange(2 * SIZES[0]) % CLASSES
    for draw, size in zip(draws_of(still), SIZES, strict=True):
        plan, x = settled(draw, confidence=1 / CLASSES), images(mixing, size)
        assert isinstance(mixing, Cutout) or torch.equal(throughout(plan, x), x[:size])
        hard = nn.functional.one_hot(y[: len(x)]).float()
        assert torch.equal(plan.label(hard), hard[:size])


@pytest.mark.parametrize("mixing", [mixing for mixing in MIXING if not isinstance(mixing, Cutout)])
def test_a_sample_that_is_its_own_partner_stays(mixing: Mixing) -> None:
    for plan in plans_of(mixing, sizes=(1, 1, 1)):
        x = images(mixing, 1)[:1]
        pair = torch.cat([x, x]) if takes_two_batches(mixing) else x
        # a * x + (1 - a) * x rounds twice at each layer: exact up to the last bits of float32
        torch.testing.assert_close(throughout(plan, pair), x, rtol=1e-6, atol=1e-6)
        torch.testing.assert_close(plan.label(pair[:, 0, 0]), x[:, 0, 0], rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("mixing", BLENDING)
def test_in_a_linear_network_mixing_anywhere_is_mixing_the_outputs(mixing: Mixing) -> None:
    layers = [nn.Linear(6, 6, dtype=torch.float64) for _ in range(5)]
    for plan, size in zip(plans_of(mixing), SIZES, strict=True):
        x = torch.randn(len(images(mixing, size)), 6, dtype=torch.float64)
        mixed, plain = x, x
        for point, layer in enumerate(layers):
            mixed, plain = layer(plan.at(point, mixed)), layer(plain)
        torch.testing.assert_close(mixed, plan.label(plain))


@pytest.mark.parametrize("mixing", [mixing for mixing in MIXING if not isinstance(mixing, ConfMix)])
def test_no_batch_waits_for_the_device(mixing: Mixing) -> None:
    # Tensors on "meta" have no values: whatever reads one on the host fails.
    found = policy(mixing, shape=SHAPE, classes=CLASSES, epochs=10)
    for draw, size in zip(found.epoch(Tables(0, 0, SIZES, "meta")), SIZES, strict=True):
        plan, x = settled(draw), images(mixing, size).to("meta")
        y, logits = torch.zeros(len(x), dtype=torch.int64, device="meta"), torch.zeros(size, CLASSES, device="meta")
        assert throughout(plan, x).shape == (size, *SHAPE)
        assert plan.loss(nn.functional.mse_loss, logits, y).shape == ()
        assert plan.accuracy(logits, y).shape == ()


def test_the_draws_of_an_epoch_are_the_same_in_any_process() -> None:
    commands = [[sys.executable, __file__, str(epoch)] for epoch in range(4)]
    children = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for command in commands]
    found = [child.communicate()[0].split() for child in children]
    assert found == [[fingerprint(mixing, epoch) for mixing in MIXING] for epoch in range(4)]


@pytest.mark.parametrize("mixing", MIXING[1:-1])
def test_epochs_and_seeds_differ(mixing: Mixing) -> None:
    x = images(mixing, SIZES[0])
    first, epoch, seed = (plans_of(mixing, seed=seed, epoch=epoch)[0] for seed, epoch in ((0, 0), (0, 1), (1, 0)))
    assert not torch.equal(throughout(first, x), throughout(epoch, x))
    assert not torch.equal(throughout(first, x), throughout(seed, x))


def blends(mixup: Mixup, *, epoch: int = 0, sizes: tuple[int, ...] = SIZES, seed: int = 0) -> list[Blend]:
    found = [plan.state for plan in mixup.epoch(Tables(seed, epoch, sizes))]
    assert all(isinstance(state, Blend) for state in found)
    return found  # type: ignore[return-value]


@pytest.mark.parametrize("sharing", ["batch", "sample"])
@pytest.mark.parametrize("alpha", [0.2, 0.5, 1.0, 2.0])
def test_lambda_has_the_moments_of_its_distribution(alpha: float, sharing: Sharing) -> None:
    drawn = blends(Mixup((0,), alpha, 1, sharing), seed=2, sizes=(1,) * 20_000)
    lam = torch.stack([blend.lam.reshape(()) for blend in drawn]).double()
    # five standard errors: the deviation of lambda is at most 1/2, that of its square at most 1/4
    assert lam.mean().item() == pytest.approx(0.5, abs=5 * 0.5 / 20_000**0.5)
    assert lam.var().item() == pytest.approx(1 / (4 * (2 * alpha + 1)), abs=5 * 0.25 / 20_000**0.5)


@pytest.mark.parametrize("sharing", ["batch", "sample"])
def test_the_smallest_alpha_gives_numbers(sharing: Sharing) -> None:
    drawn = blends(Mixup((0,), 1e-4, 1, sharing), sizes=(1,) * 2000)
    assert torch.stack([blend.lam.reshape(()) for blend in drawn]).isfinite().all()


def test_alpha_follows_its_schedule() -> None:
    mixup = Mixup((0,), Linear(kind="linear", start=0.0, end=3.0), epochs=4, sharing="sample")
    for epoch, alpha in enumerate((0.0, 1.0, 2.0, 3.0)):
        lam = torch.cat([blend.lam for blend in blends(mixup, epoch=epoch, sizes=(2000,) * 10)])
        assert lam.var().item() == pytest.approx(1 / (4 * (2 * alpha + 1)) if alpha else 0, abs=0.01)
        assert alpha or lam.min() == 1


def test_layer_lambda_and_partner_do_not_disturb_each_other() -> None:
    base, other = Mixup((0, 1, 2), 2.0, 1), Mixup((0, 1), 0.3, 1, "sample", layers_per_batch=2)
    for a, b in zip(blends(base, epoch=3), blends(other, epoch=3), strict=True):
        assert torch.equal(a.partner, b.partner)
    for a, b in zip(blends(base, epoch=3), blends(Mixup((1,), 2.0, 1), epoch=3), strict=True):
        assert torch.equal(a.lam, b.lam)


def test_every_table_comes_from_its_own_purpose() -> None:
    (plan,) = Mixup((4, 5, 6), 2.0, 1).epoch(Tables(8, 3, (40,)))
    (state,) = blends(Mixup((4, 5, 6), 2.0, 1), seed=8, epoch=3, sizes=(40,))
    assert plan.layers == ((4, 5, 6)[generator(seed=8, purpose="layer", epoch=3).integers(3)],)
    assert state.lam.item() == pytest.approx(generator(seed=8, purpose="lam", epoch=3).beta(2.0, 2.0))
    assert state.partner.tolist() == generator(seed=8, purpose="partner", epoch=3).permutation(40).tolist()


def test_two_batches_can_not_be_mixed_at_two_layers() -> None:
    mixing = ManifoldMixup(kind="manifold_mixup", alpha=1.0, layers=(0, 1), layers_per_batch=2, pairing="two_batches")
    with pytest.raises(SpecError, match=r"mixing\.layers_per_batch is 2.*set it to 1, or mixing\.pairing"):
        draws_of(mixing)


def test_a_square_larger_than_the_image_is_refused() -> None:
    with pytest.raises(SpecError, match=r"mixing\.size is 9.*8 x 8 pixels: choose 1 to 8"):
        draws_of(Cutout(kind="cutout", size=9))


if __name__ == "__main__":  # a child of the test of four processes
    print(*(fingerprint(mixing, int(sys.argv[1])) for mixing in MIXING))  # noqa: T201
