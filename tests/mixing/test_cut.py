from typing import get_args

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from mmix.mixing.draw import generator
from mmix.mixing.patch import Erase, Paste, inside
from mmix.mixing.plan import Plan
from mmix.mixing.policy import policy
from mmix.mixing.tables import Tables
from mmix.spec.mixing import CutMix, Cutout, Mixing, Sharing

SIZES = (50, 50, 37)
SHARINGS = get_args(Sharing)


def plans_of(mixing: Mixing, shape: tuple[int, int, int], sizes: tuple[int, ...] = SIZES) -> tuple[Plan, ...]:
    found = policy(mixing, shape=shape, classes=4, epochs=1).epoch(Tables(0, 0, sizes))
    assert all(isinstance(plan, Plan) for plan in found)
    return found  # type: ignore[return-value]


def boxes(plans: tuple[Plan, ...]) -> Tensor:
    return torch.cat([plan.state.box for plan in plans if isinstance(plan.state, Paste | Erase)])


def test_a_box_holds_the_pixels_from_top_and_left_up_to_bottom_and_right() -> None:
    mask = inside(torch.tensor([[0, 1, 1, 3], [2, 2, 0, 3]]), height=2, width=3)
    assert mask.int().tolist() == [[[[0, 1, 1], [0, 0, 0]]], [[[0, 0, 0], [0, 0, 0]]]]


@pytest.mark.parametrize("sharing", SHARINGS)
def test_labels_are_weighed_by_the_exact_area(sharing: Sharing) -> None:
    y = torch.arange(50) % 4
    for plan, size in zip(plans_of(CutMix(kind="cutmix", sharing=sharing), (4, 9, 7)), SIZES, strict=True):
        label = nn.functional.one_hot(y[:size], 4).float()
        x = label[:, :, None, None].expand(size, 4, 9, 7)  # an image whose channels are its label
        torch.testing.assert_close(plan.at(0, x).mean((2, 3)), plan.label(label))


@pytest.mark.parametrize("sharing", SHARINGS)
def test_a_box_away_from_the_border_has_the_drawn_share_of_each_side(sharing: Sharing) -> None:
    found = boxes(plans_of(CutMix(kind="cutmix", sharing=sharing), (3, 400, 200), sizes=(10,) * 40)).numpy()
    count = len(found)
    share = np.sqrt(1 - generator(seed=0, purpose="lam", epoch=0).beta(1.0, 1.0, size=count))
    heights, widths = found[:, 1] - found[:, 0], found[:, 3] - found[:, 2]
    free = (found[:, 0] > 0) & (found[:, 1] < 400) & (found[:, 2] > 0) & (found[:, 3] < 200)
    assert 0.1 * count < free.sum() < 0.9 * count
    # both edges are rounded, by half a pixel at most
    assert np.abs(heights - share * 400)[free].max() <= 1
    assert np.abs(widths - share * 200)[free].max() <= 1
    assert (heights <= share * 400 + 1).all()
    centre = generator(seed=0, purpose="patch", epoch=0).random((count, 3))[:, :2] * (400, 200)
    middle = (found[:, [0, 2]] + found[:, [1, 3]]) / 2
    assert np.abs(middle - centre)[free].max() <= 0.5


def test_boxes_reach_every_pixel_and_stay_inside() -> None:
    found = boxes(plans_of(CutMix(kind="cutmix", sharing="sample"), (3, 9, 7), sizes=(2000,)))
    assert found.min() == 0
    assert found.amax(0)[[1, 3]].tolist() == [9, 7]
    assert inside(found, height=9, width=7).any(0).all()


@pytest.mark.parametrize("sharing", SHARINGS)
def test_with_a_probability_the_rest_stays_as_it_was(sharing: Sharing) -> None:
    mixing = CutMix(kind="cutmix", alpha=50.0, probability=0.3, sharing=sharing)  # lambda is about 1/2
    found = boxes(plans_of(mixing, (3, 32, 32), sizes=(2,) * 2000))
    mixed = (found[:, 1] > found[:, 0]).double()
    # five standard deviations
    assert mixed.mean().item() == pytest.approx(0.3, abs=5 * (0.21 / len(mixed)) ** 0.5)


@pytest.mark.parametrize("size", [1, 2, 5, 8])
def test_cutout_erases_one_square_in_each_image(size: int) -> None:
    x = torch.ones(500, 3, 8, 8)
    (plan,) = plans_of(Cutout(kind="cutout", size=size), (3, 8, 8), sizes=(500,))
    erased = plan.at(0, x) == 0
    assert torch.equal(erased.any(1), erased.all(1))
    rows, columns = erased[:, 0].any(2).sum(1), erased[:, 0].any(1).sum(1)
    assert torch.equal(erased[:, 0].sum((1, 2)), rows * columns)
    # half a square stays inside wherever its centre lies
    assert ((rows >= (size + 1) // 2) & (rows <= size)).all()
    assert ((columns >= (size + 1) // 2) & (columns <= size)).all()
    assert (rows == size).any()
    assert erased.any(0).all()


def test_cutout_leaves_labels_alone() -> None:
    (plan,) = plans_of(Cutout(kind="cutout", size=3), (3, 8, 8), sizes=(6,))
    label = torch.rand(6, 4)
    assert plan.label(label) is label
