"""The one door to a run, whatever it trains."""

from collections.abc import Generator

from mmix.run import many, single
from mmix.run.reports import Places, Report
from mmix.spec.data import realisations_of
from mmix.spec.experiment import ExperimentSpec


def run(
    spec: ExperimentSpec, seed: int, *, places: Places, device: str = "cpu", threads: int | None = None
) -> Generator[Report, None, None]:
    """Trains and evaluates what the spec asks for, and reports as it goes. Whoever stops asking stops the run.

    On one kind of CPU, with one set of versions and one number of threads, the results depend on nothing but
    `spec`, `seed` and the data: not on an interruption, not on what ran before.

    Raises: SetupError where the device is missing, DataMissing or DataBroken where the data can't be used,
        SpecError where data and model don't fit, Diverged where a loss is no longer a number.
    """
    train = many.run if realisations_of(spec.data) > 1 else single.run
    return train(spec, seed, places=places, device=device, threads=threads)
