"""Scikit-learn's scanned digits: they need no files and train in seconds."""

import numpy as np
import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from mmix.data.dataset import Dataset, Split, checksum, measure

TEST_IMAGES = 360
TRAIN_IMAGES = 1437
CLASSES = tuple("0123456789")
LEVELS = 16  # a pixel counts the set bits of a 4 x 4 block: 0..16


def digits() -> Dataset:
    """1,797 images of 8 x 8 pixels in one channel; the test split is stratified and always the same."""
    bunch = load_digits()
    positions = np.arange(len(bunch.target))
    train, test = train_test_split(positions, test_size=TEST_IMAGES, stratify=bunch.target, random_state=0)
    pixels = np.round(bunch.images * (255 / LEVELS)).astype(np.uint8)[:, None]
    splits = [_split(pixels[chosen], bunch.target[chosen]) for chosen in (np.sort(train), np.sort(test))]
    return Dataset("digits", splits[0], splits[1], CLASSES, measure(splits[0]), checksum(splits))


def _split(pixels: np.ndarray, labels: np.ndarray) -> Split:
    return Split(x=torch.from_numpy(pixels), y=torch.from_numpy(labels.astype(np.int64)))
