"""How often a network is right on images that were altered against it."""

from collections.abc import Callable, Iterator, Sequence
from typing import assert_never

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mmix.data.dataset import Split, Statistics
from mmix.data.pixels import normalise
from mmix.evaluation.gradient import differentiable, gradient
from mmix.evaluation.predict import BATCH, evaluating
from mmix.mixing.draw import generator
from mmix.spec.evaluation import Attack, Fgsm, NormalisedFgsm, Pgd, attack_metric

Withstood = Iterator[tuple[float, Tensor]]
"""Pairs of a strength and (B,), bool: which images of a batch the network is right on under it."""


def attack(
    model: nn.Module, split: Split, statistics: Statistics, attacks: Sequence[Attack], *, seed: int
) -> dict[str, float]:
    """The accuracy on all images under each attack at each strength, by the metric's name.

    In evaluation mode and float32; the model's mode and its gradients are left as they were. Only PGD draws.
    """
    results: dict[str, float] = {}
    with evaluating(model):
        for wanted in attacks:
            hits = dict.fromkeys(map(float, wanted.eps), 0)
            attempt = _attempt(wanted, model, statistics, seed)
            for x, y in split.batches(BATCH):
                for eps, right in attempt(x, y):
                    hits[eps] += int(right.sum())
            results |= {attack_metric(wanted, eps): count / len(split) for eps, count in hits.items()}
    return results


def fgsm(x: Tensor, gradient: Tensor, *, eps: float) -> Tensor:
    """One signed step of eps/255, clipped to valid pixels.

    x: (B, C, H, W), in [0, 1]. gradient: of the loss with respect to x, of its shape. eps: 0..255.
    Source: Goodfellow et al. (2015), section 4.
    Differs: the Manifold Mixup paper states no eps; what its authors' deleted code did is `NormalisedFgsm`.
    """
    return (x + eps / 255 * gradient.sign()).clamp(0, 1)


def pgd(
    model: nn.Module, x: Tensor, y: Tensor, statistics: Statistics, *, eps: float, steps: int, start: Tensor
) -> Tensor:
    """`steps` signed steps of eps/4/255 from `start`, each brought back to the ball around x and to valid pixels.

    x, start: (B, C, H, W), in [0, 1]; start is brought back first. y: (B,), int64. eps: 0..255.
    Source: Madry et al. (2018), section 2.1.
    """
    found = project(start, around=x, eps=eps)
    for _ in range(steps):
        step = eps / 255 / 4 * gradient(model, found, y, statistics).sign()
        found = project(found + step, around=x, eps=eps)
    return found


def uniform(draw: np.random.Generator, shape: tuple[int, ...]) -> Tensor:
    """A point of the cube [-1, 1]^..., float32; times eps/255, the way from an image to a restart's beginning."""
    return torch.from_numpy(2 * draw.random(shape, dtype=np.float32) - 1)


def project(x: Tensor, *, around: Tensor, eps: float) -> Tensor:
    """The nearest valid pixels to x within eps/255 of `around`, which must be the images as they were."""
    return (around + (x - around).clamp(-eps / 255, eps / 255)).clamp(0, 1)


def normalised_fgsm_direction(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    """The signs of the gradient of BCE(softmax, one-hot) with respect to x, of its shape.

    x: (B, C, H, W), normalised. y: (B,), int64.
    Source: the Manifold Mixup authors' attacks.py, which they deleted.
    Differs: they averaged over batch and classes, we sum: the same signs, but fewer gradients round to 0.
    """
    sample = x.detach().requires_grad_()
    with differentiable(model):
        probabilities = model(sample).softmax(1)
        target = F.one_hot(y, probabilities.shape[1]).to(probabilities.dtype)
        loss = F.binary_cross_entropy(probabilities, target, reduction="sum")
        (found,) = torch.autograd.grad(loss, sample)
    return found.sign()


def _attempt(
    attack: Attack, model: nn.Module, statistics: Statistics, seed: int
) -> Callable[[Tensor, Tensor], Withstood]:
    """Attacks one batch after the other, in the split's order."""
    match attack:
        case Fgsm():
            return lambda x, y: _withstand_fgsm(attack, model, statistics, x, y)
        case NormalisedFgsm():
            return lambda x, y: _withstand_normalised_fgsm(attack, model, statistics, x, y)
        case Pgd():
            # A table for each restart, read along the split: all strengths of a restart start in one direction.
            draws = [generator(seed=seed, purpose="attack", epoch=restart) for restart in range(attack.restarts)]
            return lambda x, y: _withstand_pgd(attack, model, statistics, x, y, draws)
        case _:
            assert_never(attack)


def _withstand_fgsm(attack: Fgsm, model: nn.Module, statistics: Statistics, x: Tensor, y: Tensor) -> Withstood:
    direction = gradient(model, x, y, statistics)  # one for all eps
    for eps in set(attack.eps):
        yield eps, _right(model, normalise(fgsm(x, direction, eps=eps), statistics), y)


def _withstand_normalised_fgsm(
    attack: NormalisedFgsm, model: nn.Module, statistics: Statistics, x: Tensor, y: Tensor
) -> Withstood:
    normalised = normalise(x, statistics)
    direction = normalised_fgsm_direction(model, normalised, y)
    for eps in set(attack.eps):
        yield eps, _right(model, normalised + eps * direction, y)


def _withstand_pgd(
    attack: Pgd, model: nn.Module, statistics: Statistics, x: Tensor, y: Tensor, draws: Sequence[np.random.Generator]
) -> Withstood:
    """An image withstands where it withstands from every start."""
    right = {eps: torch.ones_like(y, dtype=torch.bool) for eps in attack.eps}
    for draw in draws:
        noise = uniform(draw, x.shape).to(x.device)
        for eps, so_far in right.items():
            start = x + eps / 255 * noise
            found = pgd(model, x, y, statistics, eps=eps, steps=attack.steps, start=start)
            so_far &= _right(model, normalise(found, statistics), y)
    yield from right.items()


def _right(model: nn.Module, normalised: Tensor, y: Tensor) -> Tensor:
    with torch.no_grad():
        right: Tensor = model(normalised).argmax(1) == y
        return right
