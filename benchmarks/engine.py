"""What the engine itself costs: overhead beside the evaluations, and what a second worker brings.

    python benchmarks/engine.py [--quick] [--json FILE]

Runs the digits search (all of it, or a fifth with --quick) with as many workers as this machine has room for, and again
with one. The clock starts when the workers are ready, and stops when the last row is on disk.

    overhead_ratio        time of the run / (sum of the evaluations' seconds / workers)
    parallel_efficiency   time with one worker / (workers x time with all workers)
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from run_archive import archive_of
from table import Figure, publish

from evonas import Archive
from evonas.engine.ray_workers import RayWorkers
from evonas.runfile.resolve import resolve

RUN_FILE = Path(__file__).parent.parent / "runs" / "digits.toml"


@dataclass(frozen=True)
class Timing:
    """A run: its wall-clock seconds, the seconds of its evaluations, and its workers."""

    seconds: float
    evaluation_seconds: float
    workers: int


def timed_run(*, evaluations: int, workers: int) -> Timing:
    """Return how long the digits search takes from the moment the workers are ready."""
    resolved = resolve(RUN_FILE, overrides=(f"search.evaluations={evaluations}", f"workers.count={workers}"))
    crew = RayWorkers(resolved.make_evaluate(), count=workers, num_cpus=1)
    with tempfile.TemporaryDirectory() as folder, archive_of(resolved, Path(folder), Archive) as archive:
        crew.ready()
        began = time.monotonic()
        resolved.search(archive, workers=crew)
        seconds = time.monotonic() - began
        evaluating = sum(row.evaluation.seconds for row in archive.rows)
    crew.close()
    return Timing(seconds, evaluating, workers)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="12 evaluations in the place of 60")
    parser.add_argument("--json", type=Path, help="write the figures there as well")
    options = parser.parse_args()
    evaluations = 12 if options.quick else 60
    cores = os.cpu_count() or 1
    alone = timed_run(evaluations=evaluations, workers=1)
    together = timed_run(evaluations=evaluations, workers=cores)
    overhead = together.seconds / (together.evaluation_seconds / together.workers)
    efficiency = alone.seconds / (together.workers * together.seconds)
    publish(
        [
            Figure("overhead_ratio", overhead, unit="x", goal="<= 1.10"),
            Figure("parallel_efficiency", efficiency, unit="fraction", goal=None),
            Figure("seconds_1_worker", alone.seconds, unit="s", goal=None),
            Figure(f"seconds_{cores}_workers", together.seconds, unit="s", goal=None),
        ],
        title=f"engine, {evaluations} evaluations of the digits search",
        file=options.json,
    )


if __name__ == "__main__":
    main()
