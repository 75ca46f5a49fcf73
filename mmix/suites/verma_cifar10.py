"""Table 1(a) of Manifold Mixup: three networks on CIFAR-10, and CutMix beside them."""

from mmix.suites import residual
from mmix.suites.suite import Suite

SUITE = Suite(
    name="verma-cifar10",
    version=1,
    summary="error and NLL of Manifold Mixup on CIFAR-10",
    source="Manifold Mixup (arXiv:1806.05236), Table 1(a); the slides' first table",
    budgets=residual.budgets({"kind": "cifar10"}),
)
