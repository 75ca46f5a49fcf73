"""All suites. A new one is a module and a line here."""

import difflib

from mmix.errors import NotFound
from mmix.suites import (
    confmix_cifar10,
    confmix_spiral,
    confmix_toy,
    digits,
    few_labels,
    ood,
    verma_alpha,
    verma_cifar10,
    verma_cifar100,
    verma_deformations,
    verma_dimension,
    verma_fgsm,
    verma_hidden_space,
    verma_layers,
    verma_spectrum,
    verma_svhn,
    verma_tiny_imagenet,
)
from mmix.suites.suite import Suite

SUITES: tuple[Suite, ...] = (
    digits.SUITE,
    verma_cifar10.SUITE,
    verma_cifar100.SUITE,
    verma_svhn.SUITE,
    verma_tiny_imagenet.SUITE,
    verma_deformations.SUITE,
    verma_layers.SUITE,
    verma_alpha.SUITE,
    verma_fgsm.SUITE,
    verma_spectrum.SUITE,
    verma_hidden_space.SUITE,
    verma_dimension.SUITE,
    confmix_toy.SUITE,
    confmix_cifar10.SUITE,
    confmix_spiral.SUITE,
    few_labels.SUITE,
    ood.SUITE,
)
_BY_NAME = {suite.name: suite for suite in SUITES}


def find(name: str) -> Suite:
    """The suite of this name.

    Raises: NotFound that names the suites there are.
    """
    if name in _BY_NAME:
        return _BY_NAME[name]
    near = difflib.get_close_matches(name, _BY_NAME, n=1)
    meant = f" (did you mean {near[0]}?)" if near else ""
    raise NotFound(f"There is no suite {name!r}{meant}; allowed: {', '.join(_BY_NAME)}")
