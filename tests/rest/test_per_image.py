import numpy as np
import pytest
import torch

from api.artifacts import PER_IMAGE, per_image
from mmix.evaluation.metrics import metrics


@pytest.mark.parametrize("metric", PER_IMAGE)
def test_the_mean_over_single_images_is_the_metric_that_the_laboratory_stores(metric: str) -> None:
    draw = np.random.default_rng(3)
    logits = draw.normal(scale=5, size=(500, 7)).astype(np.float32)
    labels = draw.integers(0, 7, size=500)
    stored = metrics(torch.from_numpy(logits), torch.from_numpy(labels))[metric]
    # the sums of 500 numbers in float64, in another order
    assert per_image(metric, logits, labels).mean() == pytest.approx(stored, rel=1e-12)
