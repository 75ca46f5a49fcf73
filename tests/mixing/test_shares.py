import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from mmix.mixing.confmix import Pending
from mmix.mixing.cut import CutMixing
from mmix.mixing.mixup import Mixup
from mmix.mixing.plan import Plan
from mmix.mixing.policy import Policy, policy
from mmix.mixing.shares import WHOLE, Shares, cut
from mmix.mixing.tables import Tables
from mmix.spec.mixing import ConfMix

SIZES = st.lists(st.integers(10, 23), min_size=1, max_size=4).map(tuple)
COUNTS = st.integers(1, 5)


@given(st.integers(0, 1000), st.integers(1, 64))
def test_shares_are_as_equal_as_can_be(size: int, count: int) -> None:
    sizes = cut(size, count)
    assert (len(sizes), sum(sizes)) == (count, size)
    assert max(sizes) - min(sizes) <= 1
    assert list(sizes) == sorted(sizes, reverse=True)


@given(st.integers(0, 1000), st.integers(1, 64))
def test_places_lie_one_behind_the_other(size: int, count: int) -> None:
    every = [Shares(count, own=share) for share in range(count)]
    places = [range(size)[share.place(size)] for share in every]
    assert [place for each in places for place in each] == list(range(size))
    assert [len(place) for place in places] == [share.size(size) for share in every] == list(cut(size, count))


@pytest.mark.parametrize(("size", "kept"), [(3, False), (4, True), (5, True)])
def test_a_batch_is_kept_where_each_share_has_two(size: int, kept: bool) -> None:
    assert Shares(2).kept(size) is kept


@settings(deadline=None)
@given(SIZES, COUNTS, st.integers(0, 5))
def test_partners_are_found_within_the_share(sizes: tuple[int, ...], count: int, epoch: int) -> None:
    found = Tables(0, epoch, sizes, shares=Shares(count)).partners()
    for size, partner in zip(sizes, found, strict=True):
        for share in range(count):
            place = Shares(count, own=share).place(size)
            assert sorted(partner[place].tolist()) == list(range(size)[place])


@settings(deadline=None)
@given(SIZES, COUNTS)
def test_a_rank_draws_what_one_process_draws_for_its_share(sizes: tuple[int, ...], count: int) -> None:
    whole = Tables(3, 1, sizes, shares=Shares(count))
    ranks = [Tables(3, 1, sizes, shares=Shares(count, own=rank)) for rank in range(count)]
    starts = [[share.shares.place(size).start for size in sizes] for share in ranks]
    own = [
        [partner + start for partner, start in zip(rank.partners(), begun, strict=True)]
        for rank, begun in zip(ranks, starts, strict=True)
    ]
    for batch, partner in enumerate(whole.partners()):
        assert torch.equal(torch.cat([each[batch] for each in own]), partner)
    assert [sum(sizes) for sizes in zip(*(rank.own_sizes for rank in ranks), strict=True)] == list(sizes)
    assert all(rank.layers((0, 1, 2)) == whole.layers((0, 1, 2)) for rank in ranks)


def test_one_share_draws_what_was_always_drawn() -> None:
    one, other = Tables(1, 2, (7, 7, 5)), Tables(1, 2, (7, 7, 5), shares=Shares(1, own=0))
    assert Shares(1) == WHOLE
    assert all(map(torch.equal, one.partners(), other.partners()))
    assert one.partners()[0].tolist() == PARTNERS


@pytest.mark.parametrize("sharing", ["batch", "sample"])
def test_lambdas_and_boxes_are_one_table_on_all_ranks(sharing: str) -> None:
    mixup = Mixup((0, 1), 2.0, 3, sharing=sharing)  # type: ignore[arg-type]
    cutmix = CutMixing((8, 8), 1.0, 0.8, sharing, 3)  # type: ignore[arg-type]
    for method, name in ((mixup, "lam"), (cutmix, "box")):
        whole, *ranks = ([_of_state(plan, name) for plan in _plans(method, shares)] for shares in _SHARES)
        for place, expected in enumerate(whole):
            parts = [rank[place] for rank in ranks]
            together = torch.cat(parts) if sharing == "sample" else parts[1]
            assert torch.equal(together, expected)
            assert sharing == "sample" or torch.equal(parts[0], parts[1])


def test_confmix_waits_with_its_share_of_the_numbers() -> None:
    confmix = policy(ConfMix(kind="confmix", warmup_epochs=0), shape=(1, 8, 8), classes=4, epochs=3)
    whole, *ranks = ([_uniform(plan) for plan in _plans(confmix, shares)] for shares in _SHARES)
    for place, expected in enumerate(whole):
        assert torch.equal(torch.cat([rank[place] for rank in ranks]), expected)


_SHARES = (Shares(2), Shares(2, own=0), Shares(2, own=1))
PARTNERS = [5, 6, 1, 4, 3, 2, 0]


def _plans(method: Policy, shares: Shares) -> list[Plan | Pending]:
    return list(method.epoch(Tables(0, 1, (7, 8, 5), shares=shares)))


def _of_state(plan: Plan | Pending, name: str) -> Tensor:
    assert isinstance(plan, Plan)
    found: Tensor = getattr(plan.state, name)
    return found


def _uniform(plan: Plan | Pending) -> Tensor:
    assert isinstance(plan, Pending)
    return torch.as_tensor(plan.uniform)
