from collections.abc import Callable

import pytest
import torch

from mmix.data.dataset import Split
from mmix.data.splits import per_class, set_aside, subset, with_noise
from mmix.errors import SpecError


def split(*sizes: int) -> Split:
    """Classes of these sizes; x tells which sample it is."""
    y = torch.repeat_interleave(torch.arange(len(sizes)), torch.tensor(sizes))
    return Split(x=torch.arange(len(y), dtype=torch.uint8).reshape(-1, 1, 1, 1), y=y)


def unequal() -> Split:
    return split(100, 10, 1)


def members(part: Split | None) -> set[int]:
    assert part is not None
    return set(part.x.flatten().tolist())


@pytest.mark.parametrize("size", range(3, 112))
def test_unequal_classes_keep_their_shares_and_none_is_lost(size: int) -> None:
    counts = subset(unequal(), size=size, classes=3).y.bincount(minlength=3)
    assert counts.sum() == size
    assert counts.min() >= 1
    assert abs(counts[1].item() - size * 10 / 111) <= 1


@pytest.mark.parametrize(
    "part",
    [
        lambda whole: subset(whole, size=50, classes=3),
        lambda whole: per_class(whole, count=1, classes=3),
        lambda whole: set_aside(whole, size=50, classes=3)[0],
        lambda whole: set_aside(whole, size=50, classes=3)[1],
    ],
)
def test_the_order_of_the_samples_is_kept(part: Callable[[Split], Split]) -> None:
    x = part(unequal()).x.flatten().tolist()
    assert x == sorted(x)


def test_no_size_means_the_split_itself() -> None:
    whole = unequal()
    assert subset(whole, size=None, classes=3) is whole
    assert per_class(whole, count=None, classes=3) is whole
    assert set_aside(whole, size=0, classes=3) == (whole, None)
    assert with_noise(whole, share=0.0, classes=3) is whole


@pytest.mark.parametrize("size", [1, 10, 50, 108])
def test_validation_and_training_share_nothing_and_lose_nothing(size: int) -> None:
    train, validation = set_aside(unequal(), size=size, classes=3)
    assert members(train) | members(validation) == members(unequal())
    assert (len(train), len(members(validation))) == (111 - size, size)
    assert train.y.bincount(minlength=3).min() >= 1
    assert abs((train.y == 1).sum().item() - (111 - size) * 10 / 111) <= 1


def test_a_smaller_validation_split_is_part_of_a_larger_one() -> None:
    parts = [members(set_aside(unequal(), size=size, classes=3)[1]) for size in (5, 20, 60)]
    assert parts[0] < parts[1] < parts[2]


def test_of_equal_classes_validation_takes_equally_many() -> None:
    _, validation = set_aside(split(20, 20, 20), size=15, classes=3)
    assert validation is not None
    assert validation.y.bincount().tolist() == [5, 5, 5]


def test_a_validation_split_that_leaves_too_little_is_refused() -> None:
    with pytest.raises(SpecError, match=r"data\.validation_size is 109.*between 0 and 108"):
        set_aside(unequal(), size=109, classes=3)


def test_each_class_gives_as_many_samples_and_fewer_are_part_of_more() -> None:
    few, more = (per_class(split(30, 20, 10), count=count, classes=3) for count in (2, 10))
    assert few.y.bincount().tolist() == [2, 2, 2]
    assert more.y.bincount().tolist() == [10, 10, 10]
    assert members(few) < members(more)


def test_of_equal_classes_both_ways_to_shrink_take_the_same() -> None:
    whole = split(20, 20, 20)
    assert members(per_class(whole, count=7, classes=3)) == members(subset(whole, size=21, classes=3))


@pytest.mark.parametrize("sizes", [(30, 20, 5), (30, 20, 0)])
def test_a_class_with_fewer_samples_is_refused_and_named(sizes: tuple[int, ...]) -> None:
    with pytest.raises(SpecError, match=rf"data\.labels_per_class is 6: class 2 has {sizes[2]} training samples"):
        per_class(split(*sizes), count=6, classes=3)


@pytest.mark.parametrize(("share", "wrong"), [(0.1, 12), (0.25, 30), (0.504, 60), (0.99, 119)])
def test_exactly_the_share_of_labels_is_wrong_and_nothing_else_changes(share: float, wrong: int) -> None:
    whole = split(40, 40, 40)
    noisy = with_noise(whole, share=share, classes=3)
    assert int((noisy.y != whole.y).sum()) == wrong
    assert torch.equal(noisy.x, whole.x)
    assert set(noisy.y.tolist()) <= {0, 1, 2}
    assert torch.equal(whole.y, split(40, 40, 40).y)


def test_wrong_labels_are_uniform_over_the_other_classes() -> None:
    whole = Split(x=torch.zeros(40_000, 1, 1, 1, dtype=torch.uint8), y=torch.full((40_000,), 2))
    counts = with_noise(whole, share=0.75, classes=4).y.bincount(minlength=4).tolist()
    assert counts[2] == 10_000
    # six standard deviations of a binomial count: 6 * sqrt(30000 * 1/3 * 2/3) = 490
    assert all(abs(counts[label] - 10_000) < 490 for label in (0, 1, 3))


def test_more_noise_keeps_the_wrong_labels_of_less() -> None:
    whole = split(40, 40, 40)
    less, more = (with_noise(whole, share=share, classes=3) for share in (0.2, 0.4))
    wrong = less.y != whole.y
    assert torch.equal(less.y[wrong], more.y[wrong])
