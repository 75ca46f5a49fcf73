"""Table 1(b) of Manifold Mixup: three networks on CIFAR-100, and CutMix beside them."""

from mmix.suites import residual
from mmix.suites.suite import Suite

SUITE = Suite(
    name="verma-cifar100",
    version=1,
    summary="error and NLL of Manifold Mixup on CIFAR-100",
    source="Manifold Mixup (arXiv:1806.05236), Table 1(b); the slides' second table",
    budgets=residual.budgets({"kind": "cifar100"}),
)
