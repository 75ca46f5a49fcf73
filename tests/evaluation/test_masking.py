import pytest

from mmix.evaluation.masking import suspicions
from mmix.spec.evaluation import Attack, Fgsm, Pgd

ATTACKS: tuple[Attack, ...] = (Fgsm(kind="fgsm", eps=(4, 8)), Pgd(kind="pgd", eps=(8, 255)))
HONEST = {
    "fgsm_accuracy@pixel:4/255": 0.9,
    "fgsm_accuracy@pixel:8/255": 0.4,
    "pgd20_accuracy@pixel:8/255": 0.31,
    "pgd20_accuracy@pixel:255/255": 0.0,
}


def test_an_honest_network_is_not_suspected() -> None:
    assert suspicions(ATTACKS, HONEST, zero_gradient_fraction=0.01) == []
    assert suspicions([], {}, zero_gradient_fraction=0.0) == []


@pytest.mark.parametrize(
    ("changes", "zeros", "word"),
    [
        ({"pgd20_accuracy@pixel:8/255": 0.29}, 0.0, "fgsm_accuracy@pixel:8/255"),
        ({"pgd20_accuracy@pixel:255/255": 0.02}, 0.0, "pgd20_accuracy@pixel:255/255"),
        ({}, 0.011, "exactly zero"),
    ],
)
def test_each_sign_of_masking_is_one_reason(changes: dict[str, float], zeros: float, word: str) -> None:
    (reason,) = suspicions(ATTACKS, HONEST | changes, zero_gradient_fraction=zeros)
    assert word in reason
