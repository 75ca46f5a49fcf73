import math

import pytest
import torch
from sklearn.metrics import accuracy_score, brier_score_loss, log_loss

from mmix.evaluation.metrics import metrics
from mmix.evaluation.selections import select
from mmix.spec.evaluation import METRICS


def test_metrics_agree_with_scikit_learn() -> None:
    generator = torch.Generator().manual_seed(0)
    logits = 3 * torch.randn(500, 7, generator=generator)
    y = torch.randint(7, (500,), generator=generator)
    probabilities = logits.double().softmax(1).numpy()
    found = metrics(logits, y)
    assert found["error"] == pytest.approx(1 - accuracy_score(y, probabilities.argmax(1)))
    assert found["nll"] == pytest.approx(log_loss(y, probabilities, labels=range(7)))
    brier = brier_score_loss(y, probabilities, labels=list(range(7)), scale_by_half=False)
    assert found["brier"] == pytest.approx(brier)


def test_the_names_are_those_of_the_spec() -> None:
    assert tuple(metrics(torch.zeros(2, 3), torch.tensor([0, 1]))) == METRICS


def test_knowing_nothing() -> None:
    found = metrics(torch.zeros(4, 4), torch.arange(4))
    assert found == pytest.approx({"error": 0.75, "nll": math.log(4), "brier": 0.75})


@pytest.mark.parametrize(("y", "error", "nll", "brier"), [(0, 0, 0, 0), (1, 1, 1000, 2)])
def test_certainty_right_and_wrong(y: int, error: float, nll: float, brier: float) -> None:
    found = metrics(torch.tensor([[1000.0, 0.0]]), torch.tensor([y]))
    assert found == pytest.approx({"error": error, "nll": nll, "brier": brier})


def history(errors: list[float]) -> list[dict[str, float]]:
    return [{"error": error, "nll": place, "brier": 1 - error, "lr": 1} for place, error in enumerate(errors)]


def test_the_last_epoch_and_the_earliest_best_are_selected() -> None:
    results = select(history([0.5, 0.2, 0.3, 0.2, 0.4]))
    assert results["last"] == {"error": 0.4, "nll": 4, "brier": 0.6}
    assert results["best_on_test"] == {"error": 0.2, "nll": 1, "brier": 0.8}


def test_the_median_of_each_metric_is_its_own_and_needs_ten_epochs() -> None:
    errors = [9.0, 0.9, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.0]
    assert "median_of_last_ten" not in select(history(errors[:9]))
    found = select(history(errors))["median_of_last_ten"]
    assert found == pytest.approx({"error": 0.45, "nll": 5.5, "brier": 0.55})


def test_without_a_measurement_after_every_epoch_the_last_one_alone_speaks() -> None:
    assert select([{"lr": 1.0}, *history([0.5])]) == {"last": {"error": 0.5, "nll": 0, "brier": 0.5}}
