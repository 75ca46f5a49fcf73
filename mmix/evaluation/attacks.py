"""How often a network is right on images that were altered against it."""

from collections.abc import Sequence
from typing import assert_never

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mmix.data.dataset import Split, Statistics
from mmix.data.pixels import normalise
from mmix.evaluation.predict import batches, evaluating
from mmix.spec.evaluation import Fgsm, fgsm_metric


def attack(model: nn.Module, split: Split, statistics: Statistics, attacks: Sequence[Fgsm]) -> dict[str, float]:
    """The accuracy under each attack at each strength, by the metric's name.

    In evaluation mode and float32; the model's mode and its gradients are left as they were.
    """
    results: dict[str, float] = {}
    for wanted in attacks:
        match wanted:
            case Fgsm():
                results |= _fgsm_accuracies(model, split, statistics, wanted.eps)
            case _:
                assert_never(wanted)
    return results


def fgsm(x: Tensor, gradient: Tensor, *, eps: int) -> Tensor:
    """One signed step of eps/255, clipped to valid pixels.

    x: (B, C, H, W), in [0, 1]. gradient: of the loss with respect to x, of its shape. eps: 0..255.
    Source: Goodfellow et al. (2015), section 4.
    Differs: the Manifold Mixup paper states no eps; its authors' deleted code stepped in normalised space and
        did not clip.
    """
    return (x + eps / 255 * gradient.sign()).clamp(0, 1)


def gradient(model: nn.Module, x: Tensor, y: Tensor, statistics: Statistics) -> Tensor:
    """The gradient of the summed cross-entropy with respect to the pixels, of x's shape.

    x: (B, C, H, W), in [0, 1]. y: (B,), int64. Summed: a mean would bring small gradients closer to 0.
    """
    pixels = x.detach().requires_grad_()
    loss = F.cross_entropy(model(normalise(pixels, statistics)), y, reduction="sum")
    (found,) = torch.autograd.grad(loss, pixels)
    return found


def _fgsm_accuracies(model: nn.Module, split: Split, statistics: Statistics, eps: Sequence[int]) -> dict[str, float]:
    hits = dict.fromkeys(eps, 0)
    with evaluating(model):
        for x, y in batches(split):
            direction = gradient(model, x, y, statistics)  # one for all eps
            with torch.no_grad():
                for strength in hits:
                    logits = model(normalise(fgsm(x, direction, eps=strength), statistics))
                    hits[strength] += int((logits.argmax(1) == y).sum())
    return {fgsm_metric(strength): count / len(split) for strength, count in hits.items()}
