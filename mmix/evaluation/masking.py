"""Whether an attack failed because the network is robust, or because its gradients say nothing."""

from collections.abc import Mapping, Sequence

from mmix.spec.evaluation import Attack, Fgsm, Pgd, attack_metric

GAP = 0.10  # of accuracy, between the one-step attack and the stronger one
ZERO_GRADIENTS = 0.01  # of images; Source: cleverhans issue 350, where 45 % of MNIST did not move
UNBOUNDED = 0.01  # accuracy; Source: Athalye et al. (2018), section 3.1: an unbounded attack must reach 0


def suspicions(
    attacks: Sequence[Attack], accuracies: Mapping[str, float], *, zero_gradient_fraction: float
) -> list[str]:
    """The reasons for taking these accuracies with care, a sentence each; empty where there is none.

    That FGSM leaves a network more accuracy than PGD is so by nature; a wide gap says that the slope at the
    image leads nowhere, so FGSM alone would flatter the network.
    """
    reasons = [*_gaps(attacks, accuracies), *_unbounded(attacks, accuracies)]
    if zero_gradient_fraction > ZERO_GRADIENTS:
        reasons.append(f"the gradient is exactly zero on a share of {zero_gradient_fraction:.4f} of the images")
    return reasons


def _gaps(attacks: Sequence[Attack], accuracies: Mapping[str, float]) -> list[str]:
    single = {eps: attack_metric(attack, eps) for attack in attacks if isinstance(attack, Fgsm) for eps in attack.eps}
    return [
        f"{single[eps]} exceeds {attack_metric(attack, eps)} by more than {GAP}"
        for attack in attacks
        if isinstance(attack, Pgd)
        for eps in sorted(set(attack.eps) & single.keys())
        if accuracies[single[eps]] - accuracies[attack_metric(attack, eps)] > GAP
    ]


def _unbounded(attacks: Sequence[Attack], accuracies: Mapping[str, float]) -> list[str]:
    names = [attack_metric(attack, 255) for attack in attacks if isinstance(attack, Pgd) and 255 in attack.eps]
    return [f"{name} exceeds {UNBOUNDED}: its ball holds all images" for name in names if accuracies[name] > UNBOUNDED]
