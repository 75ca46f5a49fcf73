import pytest
import torch

from mmix.data.dataset import Split
from mmix.data.splits import subset


def unequal() -> Split:
    """Three classes of 100, 10 and 1 images."""
    y = torch.repeat_interleave(torch.arange(3), torch.tensor([100, 10, 1]))
    return Split(x=torch.arange(111, dtype=torch.uint8).reshape(111, 1, 1, 1), y=y)


@pytest.mark.parametrize("size", range(3, 112))
def test_unequal_classes_keep_their_shares_and_none_is_lost(size: int) -> None:
    counts = subset(unequal(), size=size, classes=3).y.bincount(minlength=3)
    assert counts.sum() == size
    assert counts.min() >= 1
    assert abs(counts[1].item() - size * 10 / 111) <= 1


def test_the_order_of_the_images_is_kept() -> None:
    x = subset(unequal(), size=50, classes=3).x.flatten().tolist()
    assert x == sorted(x)


def test_no_size_means_the_split_itself() -> None:
    split = unequal()
    assert subset(split, size=None, classes=3) is split
