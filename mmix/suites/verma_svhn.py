"""Table 2 of Manifold Mixup: three networks on SVHN, and CutMix beside them."""

from mmix.suites import residual
from mmix.suites.suite import Suite

SUITE = Suite(
    name="verma-svhn",
    version=1,
    summary="error and NLL of Manifold Mixup on SVHN",
    source="Manifold Mixup (arXiv:1806.05236), Table 2",
    budgets=residual.budgets({"kind": "svhn"}),
)
