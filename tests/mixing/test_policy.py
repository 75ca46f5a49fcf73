import subprocess
import sys
from collections.abc import Sequence
from typing import get_args

import pytest
import torch

from mmix.mixing.draw import generator
from mmix.mixing.plan import Plan
from mmix.mixing.policy import Policy, policy
from mmix.spec.mixing import Erm, InputMixup, ManifoldMixup, Mixing, Sharing, layers_of

MIXING: tuple[InputMixup | ManifoldMixup, ...] = (
    InputMixup(kind="input_mixup", alpha=1.0),
    InputMixup(kind="input_mixup", alpha=0.2, sharing="sample"),
    ManifoldMixup(kind="manifold_mixup", alpha=2.0, layers=(0, 2, 3)),
    ManifoldMixup(kind="manifold_mixup", alpha=0.5, layers=(1,), sharing="sample"),
)
SIZES = (50, 50, 37)


def policy_of(mixing: Mixing) -> Policy:
    found = policy(mixing)
    assert found is not None
    return found


def drawn(plans: Sequence[Plan]) -> list[object]:
    return [(plan.layer, plan.lam.tolist(), plan.partner.tolist()) for plan in plans]


def test_every_method_is_tested_here() -> None:
    assert {type(mixing) for mixing in MIXING} | {Erm} == set(get_args(get_args(Mixing)[0]))


def test_erm_has_no_policy() -> None:
    assert policy(Erm(kind="erm")) is None


@pytest.mark.parametrize("mixing", MIXING)
def test_every_batch_has_a_plan_of_its_size(mixing: InputMixup | ManifoldMixup) -> None:
    plans = policy_of(mixing).epoch(seed=0, epoch=0, sizes=SIZES)
    shapes = [() if mixing.sharing == "batch" else (size,) for size in SIZES]
    assert [plan.lam.shape for plan in plans] == shapes
    assert [sorted(plan.partner.tolist()) for plan in plans] == [list(range(size)) for size in SIZES]
    assert all(plan.lam.dtype == torch.float32 and plan.partner.dtype == torch.int64 for plan in plans)
    assert all(((plan.lam >= 0) & (plan.lam <= 1)).all() for plan in plans)


@pytest.mark.parametrize("mixing", MIXING)
def test_layers_lie_in_the_set_and_visit_all_of_it_evenly(mixing: InputMixup | ManifoldMixup) -> None:
    plans = policy_of(mixing).epoch(seed=1, epoch=0, sizes=[2] * 3000)
    counts = [sum(plan.layer == layer for plan in plans) for layer in layers_of(mixing)]
    assert sum(counts) == 3000
    share = 3000 / len(counts)
    # six standard deviations of a binomial count, at most 6 * sqrt(3000 / 4)
    assert all(abs(count - share) < 165 for count in counts)


@pytest.mark.parametrize("sharing", ["batch", "sample"])
@pytest.mark.parametrize("alpha", [0.2, 0.5, 1.0, 2.0])
def test_lambda_has_the_moments_of_its_distribution(alpha: float, sharing: Sharing) -> None:
    plans = Policy((0,), alpha, sharing).epoch(seed=2, epoch=0, sizes=[1] * 20_000)
    lam = torch.stack([plan.lam.reshape(()) for plan in plans]).double()
    # five standard errors: the deviation of lambda is at most 1/2, that of its square at most 1/4
    assert lam.mean().item() == pytest.approx(0.5, abs=5 * 0.5 / 20_000**0.5)
    assert lam.var().item() == pytest.approx(1 / (4 * (2 * alpha + 1)), abs=5 * 0.25 / 20_000**0.5)


@pytest.mark.parametrize("sharing", ["batch", "sample"])
def test_the_smallest_alpha_gives_numbers(sharing: Sharing) -> None:
    plans = Policy((0,), 1e-4, sharing).epoch(seed=0, epoch=0, sizes=[1] * 2000)
    lam = torch.stack([plan.lam.reshape(()) for plan in plans])
    assert lam.isfinite().all()


@pytest.mark.parametrize("mixing", MIXING)
def test_the_draws_of_an_epoch_are_the_same_in_any_process(mixing: InputMixup | ManifoldMixup) -> None:
    program = (
        "import sys; from pydantic import TypeAdapter;"
        "from mmix.mixing.policy import policy; from mmix.spec.mixing import Mixing;"
        "plans = policy(TypeAdapter(Mixing).validate_json(sys.argv[1])).epoch(seed=4, epoch=9, sizes=(50, 37));"
        "print([(plan.layer, plan.lam.tolist(), plan.partner.tolist()) for plan in plans])"
    )
    command = [sys.executable, "-c", program, mixing.model_dump_json()]
    answer = subprocess.run(command, capture_output=True, text=True, check=True)
    plans = policy_of(mixing).epoch(seed=4, epoch=9, sizes=(50, 37))
    assert answer.stdout.strip() == str(drawn(plans))


def test_layer_lambda_and_partner_do_not_disturb_each_other() -> None:
    base = Policy((0, 1, 2), 2.0, "batch").epoch(seed=0, epoch=3, sizes=SIZES)
    other = Policy((0, 1), 0.3, "sample").epoch(seed=0, epoch=3, sizes=SIZES)
    assert all(torch.equal(a.partner, b.partner) for a, b in zip(base, other, strict=True))
    same_lam = Policy((1,), 2.0, "batch").epoch(seed=0, epoch=3, sizes=SIZES)
    assert all(torch.equal(a.lam, b.lam) for a, b in zip(base, same_lam, strict=True))


def test_epochs_differ() -> None:
    first, second = (Policy((0,), 2.0, "batch").epoch(seed=0, epoch=epoch, sizes=SIZES) for epoch in (0, 1))
    assert not any(torch.equal(a.partner, b.partner) for a, b in zip(first, second, strict=True))


def test_every_table_comes_from_its_own_purpose() -> None:
    (plan,) = Policy((4, 5, 6), 2.0, "batch").epoch(seed=8, epoch=3, sizes=[40])
    assert plan.layer == (4, 5, 6)[generator(seed=8, purpose="layer", epoch=3).integers(3)]
    assert plan.lam.item() == pytest.approx(generator(seed=8, purpose="lam", epoch=3).beta(2.0, 2.0))
    assert plan.partner.tolist() == generator(seed=8, purpose="partner", epoch=3).permutation(40).tolist()
