"""Which regulariser: the union that is the registry of mixing methods."""

from typing import Annotated, Literal, assert_never

from pydantic import Field

from mmix.spec.part import Alpha, Layers, Part

Sharing = Literal["batch", "sample"]
Pairing = Literal["shuffle"]


class Erm(Part):
    """Empirical risk minimisation: no mixing."""

    kind: Literal["erm"]


class InputMixup(Part):
    """Mixes inputs and labels (Zhang et al., 2018)."""

    kind: Literal["input_mixup"]
    alpha: Alpha
    sharing: Sharing = "batch"
    pairing: Pairing = "shuffle"


class ManifoldMixup(Part):
    """Mixes the hidden states at one layer of `layers`, drawn for each batch (Verma et al., 2019)."""

    kind: Literal["manifold_mixup"]
    alpha: Alpha
    layers: Layers
    sharing: Sharing = "batch"
    pairing: Pairing = "shuffle"


Mixing = Annotated[Erm | InputMixup | ManifoldMixup, Field(discriminator="kind")]


def layers_of(mixing: Mixing) -> tuple[int, ...]:
    """The set S of mix points that this method may visit; empty where it mixes nothing."""
    match mixing:
        case Erm():
            return ()
        case InputMixup():
            return (0,)
        case ManifoldMixup():
            return mixing.layers
        case _:
            assert_never(mixing)
