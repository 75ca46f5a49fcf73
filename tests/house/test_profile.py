import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks.profile import ROWS, profiled
from mmix.errors import SetupError, SpecError
from mmix.spec import document

EXAMPLE = Path(__file__).parents[2] / "examples" / "digits-manifold.yaml"


def test_a_profile_is_a_trace_and_the_costliest_operations(tmp_path: Path) -> None:
    told = profiled(document.load(EXAMPLE), tmp_path, device="cpu", count=2, threads=1).splitlines()
    heading = next(number for number, line in enumerate(told) if line.startswith("operation"))
    costs = [float(line[60:].split()[0]) for line in told[heading + 1 : heading + 1 + ROWS]]
    assert costs == sorted(costs, reverse=True)
    assert "mm" in "".join(told[heading:])
    assert "perfetto" in told[-1]
    trace: dict[str, Any] = json.loads(gzip.decompress((tmp_path / "trace.json.gz").read_bytes()))
    assert trace["traceEvents"]


def test_what_cannot_be_profiled_is_refused(tmp_path: Path) -> None:
    spec = document.load(EXAMPLE)
    with pytest.raises(SetupError, match="finds only cpu"):
        profiled(spec, tmp_path, device="cuda:9", count=1, threads=1)
    several = spec.model_copy(update={"training": spec.training.model_copy(update={"devices": 2})})
    with pytest.raises(SpecError, match=r"training\.devices"):
        profiled(several, tmp_path, device="cpu", count=1, threads=1)
