"""What a reader must know of a difference before its numbers are used."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from mmix.comparison.paired import Paired
from mmix.comparison.power import Power
from mmix.comparison.question import Unit
from mmix.comparison.sample import LEVEL
from mmix.comparison.sign_flip import SignFlip
from mmix.comparison.verdict import Verdict

IMAGES_LEFT = (
    "the values of single test images are left aside, as they are not there for all pairs, not of the same images, or "
    "don't average to the metric: the bootstrap is over seeds alone"
)


@dataclass(frozen=True)
class Seen:
    """What a difference came to."""

    units: Sequence[Unit]
    test: Paired
    verdict: Verdict
    sign_flip: SignFlip | None
    power: Power | None


def notes(seen: Seen) -> tuple[str, ...]:
    """What there is to say, in whole sentences without a full stop; most differences need nothing."""
    return (*_on_pairs(seen), *_on_tests(seen), *_on_size(seen))


def _on_pairs(seen: Seen) -> Iterator[str]:
    match seen.test.n:
        case 0:
            yield "no unit has a value in both arms"
        case 1:
            yield "one pair doesn't tell how much differences scatter: at least two are needed"
        case _ if seen.test.std == 0:
            yield "all differences are equal: nothing tells how much they scatter"
    places = [unit[1:] for unit in seen.units if len(unit) > 1]
    if len(set(places)) < len(places):
        yield "seeds share the data sets of their realisations: units are not independent, and intervals too narrow"


def _on_tests(seen: Seen) -> Iterator[str]:
    flips = seen.sign_flip
    if flips is not None and seen.test.n > 1 and flips.attainable > LEVEL:
        yield f"the sign-flip test can't reach {LEVEL} here: its smallest p is {flips.attainable:.3g}"
    elif flips is not None and seen.verdict in ("better", "worse") and flips.p > LEVEL:
        yield f"the sign-flip test alone would not resolve it: p is {flips.p:.3g}"
    if seen.test.gain is not None and seen.test.gain >= 1:
        yield "pairing bought nothing here: the arms don't rise and fall together"


def _on_size(seen: Seen) -> Iterator[str]:
    chance, mean = seen.power, seen.test.mean
    if chance is None or mean is None:
        return
    if seen.test.n < chance.n_for_80_percent:
        yield (
            f"{seen.test.n} pairs see the smallest difference with power {chance.power:.2g}: "
            f"80 % takes {chance.n_for_80_percent}"
        )
    if seen.verdict in ("better", "worse") and abs(mean) < chance.difference:
        yield "resolved, but smaller than the smallest difference that was said to matter"
