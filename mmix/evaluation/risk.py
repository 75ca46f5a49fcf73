"""How far a network is from the best that can be done, where that is known."""

import torch
from torch import Tensor

from mmix.data.gaussian_mixture import BayesRule
from mmix.evaluation.metrics import error
from mmix.mixing.draw import generator

DRAWS = 20_000  # mixtures of each class


def risks(logits: Tensor, y: Tensor, *, x: Tensor, rule: BayesRule) -> dict[str, float]:
    """The error of the Bayes rule on the test points, and how much more the network errs on the same points.

    logits: (N, K). y: (N,), int64. x: (N, D), the raw points. The relative excess is absent where the rule never errs.
    Source: ConfMix manuscript, section 4.1; it reports one of the two, and doesn't say which.
    """
    bayes = (rule(x) != y).double().mean().item()
    excess = error(logits, y) - bayes
    found = {"bayes_risk": bayes, "excess_risk": excess}
    return found | {"relative_excess_risk": excess / bayes} if bayes > 0 else found


def mixing_bounds(rule: BayesRule, *, seed: int) -> dict[str, float]:
    """The manuscript's lower bound on what mixing at the input costs the Bayes rule h*, from 20,000 draws a class.

    mmlb: R_low = sum_k pi_k^2 P(h*(lam x + (1 - lam) x') != k), with x and x' independent of class k and lam uniform.
    normalised_mmlb: R_low / sum_k pi_k^2, the same risk given that both are of one class, in [0, 1].
    Source: ConfMix manuscript, equation 2, with alpha = 1 for Beta(alpha, alpha).
    Differs: as printed, the normalised bound multiplies by sum_k pi_k^2: it lost its exponent -1.
    """
    classes = len(rule.means)
    weight = torch.full((classes,), classes**-2, dtype=torch.float64)  # the rule takes all classes as equally likely
    draw = generator(seed=seed, purpose="mmlb", epoch=0)
    labels = torch.arange(classes).repeat_interleave(DRAWS)
    lam = torch.from_numpy(draw.random(len(labels)))[:, None]
    mixed = lam * rule.sample(draw, labels) + (1 - lam) * rule.sample(draw, labels)
    wrong = (rule(mixed) != labels).double().reshape(classes, DRAWS).mean(1)
    bound = weight @ wrong
    return {"mmlb": bound.item(), "normalised_mmlb": (bound / weight.sum()).item()}
