"""One claim."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from mmix.suites.decisions import Decision

Document = Literal["slides", "manuscript", "abstract", "encyclopaedia", "paper"]
DOCUMENTS: Mapping[Document, str] = {
    "slides": "Lamb, Verma et al., slides on Manifold Mixup",
    "manuscript": "On Manifold Mixup for Deep Learning (the ConfMix manuscript)",
    "abstract": "Verma et al., Manifold Mixup, ICML 2019: abstract",
    "encyclopaedia": "Papers with Code: Manifold Mixup",
    "paper": "Verma et al., Manifold Mixup, arXiv:1806.05236v7",
}


@dataclass(frozen=True)
class Claim:
    """What is said, in our words, where, what decides it, and in the table of which suite it stands.

    places: documents, each with the place in it.
    """

    id: str
    says: str
    places: tuple[tuple[Document, str], ...]
    decision: Decision
    suite: str
