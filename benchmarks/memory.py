"""The most memory that a run on CIFAR-10's 60,000 images occupies; about three minutes.

Each run goes through `mmix.run` in a process of its own, from a packed file of noise to results: one epoch on 50,000
images, and the metrics of predictions and FGSM on 10,000. More epochs would need no more.
"""

import resource
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks import subjects
from benchmarks.figures import Figure, over
from mmix.data import packed
from mmix.data.catalogue import CIFAR10
from mmix.data.images import Images
from mmix.run import Places, run

GOAL = 1.5  # GB
CASES: dict[str, tuple[dict[str, Any], int]] = {
    "convnet": (subjects.CONVNET, 250),
    "PreActResNet18 width 16": (subjects.preact_resnet(16), 100),
}


def figures() -> Iterator[Figure]:
    """The peak of each run."""
    with TemporaryDirectory() as folder:
        data = subjects.images(CIFAR10.train_images, test=CIFAR10.test_images)
        (Path(folder) / "cifar10").mkdir()
        packed.write(Path(folder) / "cifar10" / packed.FILE, Images(data.train, data.test, CIFAR10.classes))
        for name in CASES:
            command = [sys.executable, "-m", "benchmarks.memory", name, folder]
            found = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
            yield over(f"{name}: peak memory", [float(found)], "GB", goal=GOAL, sense="<=")


def main() -> None:
    """In the child: one run, and its peak in GB."""
    name, folder = sys.argv[1:]
    model, batch_size = CASES[name]
    spec = subjects.spec(model, batch_size=batch_size, mixing=subjects.MANIFOLD, epochs=1)
    for _ in run(spec, 0, places=Places(data=Path(folder)), threads=subjects.THREADS):
        pass
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9)


if __name__ == "__main__":
    main()
