"""One rank of `mmix train`: `-m mmix.cli.rank FOLDER PID`, started by torchrun, whose process id it is given."""

import json
import os
import sys
from pathlib import Path

from mmix import parentage
from mmix.errors import MmixError


def main() -> None:
    """Runs the order that lies in the folder; the first rank tells what happens."""
    # torchrun starts ranks in sessions of their own: nothing but this ends them with it.
    parentage.die_with(int(sys.argv[2]))
    folder, rank = Path(sys.argv[1]), int(os.environ["RANK"])
    order = json.loads((folder / "order.json").read_text())

    from mmix import run as laboratory  # only now: seconds in which the parent might end
    from mmix.cli import ranks
    from mmix.spec.experiment import ExperimentSpec

    try:
        for report in laboratory.run(
            ExperimentSpec.model_validate(order["spec"]),
            order["seed"],
            places=laboratory.Places(
                data=Path(order["data"]), artifacts=order["artifacts"] and Path(order["artifacts"])
            ),
            device=order["device"],
            threads=order["threads"],
        ):
            if rank == 0:
                ranks.told(folder, report)
    except MmixError as error:
        ranks.failed(folder, error, rank=rank)
        sys.exit(1)


if __name__ == "__main__":
    main()
