"""What the run files of real data find in the time that they are given.

    EVONAS_DATA=FOLDER python benchmarks/data_searches.py [--tasks NAME] [--minutes N] [--set KEY=VALUE] [--json FILE]

fashion   `fashion-mnist/`, the official idx files, all 60,000 training images, 30 minutes
nmnist    `nmnist-small.h5`, 1,000 recordings of N-MNIST, 15 minutes
fsdd      `fsdd.h5`, 2,700 spoken digits, speakers mixed, 15 minutes

Each task is the run file of its name in `runs/`, with the time as its budget. Accuracies are those of the validation
part, at the last rung of the ladder; test parts are not read.

    best_accuracy_..          of the front
    energy_of_a_good_one_..   energy of the cheapest network within 1.5 points of the best / energy of the best
    time_steps_..             different numbers of time steps on the front
    front_size_..             networks on the front
    end_..                    time of the search / the time given
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from real_files import as_it_is, nmnist_files, spoken_digits
from run_archive import archive_of
from table import Figure, publish

from evonas import Archive
from evonas.archive.pareto_front import Front
from evonas.engine.unfinished_folder import emptied
from evonas.measurement import Measurement
from evonas.runfile.resolve import resolve

RUNS = Path(__file__).parent.parent / "runs"
WITHIN = 0.015


@dataclass(frozen=True)
class Task:
    """A search.

    Attributes:
        run_file: Name of its run file.
        minutes: Its time.
        source: Its data in the folder of data.
        prepare: Makes of the source what the run file reads, in a folder of its own, and returns the path of it.
        overrides: Of the run file.
        goal: Of the best accuracy.
    """

    run_file: str
    minutes: float
    source: str
    prepare: Callable[[Path, Path], Path]
    overrides: tuple[str, ...] = ()
    goal: str | None = None


TASKS = {
    "fashion": Task("fashion_mnist", 30, "fashion-mnist", as_it_is, goal=">= 0.89"),
    "nmnist": Task("nmnist", 15, "nmnist-small.h5", nmnist_files, goal=">= 0.9"),
    "fsdd": Task("fsdd", 15, "fsdd.h5", spoken_digits, goal=">= 0.85"),
}


def searched(task: Task, *, root: Path, minutes: float, overrides: tuple[str, ...]) -> tuple[Front, float]:
    """Return the front of a task at the top rung, and the seconds that its search took."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "data").mkdir()
        path = task.prepare(root / task.source, folder / "data")
        given = (f"data.path={json.dumps(str(path))}", f"search.seconds={60 * minutes}", "search.evaluations=100000")
        resolved = resolve(RUNS / f"{task.run_file}.toml", overrides=(*given, *task.overrides, *overrides))
        with archive_of(resolved, folder, Archive) as archive, emptied(folder / "unfinished") as unfinished:
            workers = resolved.workers(unfinished=unfinished)
            began = time.monotonic()
            resolved.search(archive, workers=workers)
            seconds = time.monotonic() - began
            rows, front = len(archive.rows), archive.front()
        workers.close()
    print(f"{task.run_file}: {rows} rows in {seconds:.0f} s", flush=True)
    return front, seconds


def figures(name: str, front: Front, *, part: float, goal: str | None) -> list[Figure]:
    """Return the measures that are named at the top of this file."""
    networks = []
    column = [objective.name for objective in front.objectives].index("energy")
    for row in front.rows:
        found = row.evaluation.measurement
        if isinstance(found, Measurement) and row.costs is not None:
            networks.append((found.accuracy, row.costs[column], found.time_steps))
    for accuracy, energy, steps in sorted(networks):
        print(f"  {accuracy:.4f} {1e6 * energy:10.3f} uJ {steps:3} time steps")
    best = max(networks, default=(0.0, 0.0, 0))
    good = [energy for accuracy, energy, _ in networks if accuracy >= best[0] - WITHIN]
    return [
        Figure(f"best_accuracy_{name}", best[0], unit="fraction", goal=goal),
        Figure(f"energy_of_a_good_one_{name}", min(good) / best[1] if good and best[1] else None, "x", goal=None),
        Figure(f"time_steps_{name}", len({steps for *_, steps in networks}), unit="values", goal=None),
        Figure(f"front_size_{name}", len(networks), unit="networks", goal=None),
        Figure(f"end_{name}", part, unit="of the time", goal="<= 1.05"),
    ]


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", nargs="+", choices=list(TASKS), default=list(TASKS))
    parser.add_argument("--minutes", type=float, help="of each search, in place of its own")
    parser.add_argument("--set", action="append", default=[], help="section.key=value over the run files")
    parser.add_argument("--json", type=Path, help="write the figures there as well")
    options = parser.parse_args()
    root = os.environ.get("EVONAS_DATA")
    if root is None:
        parser.exit(0, "Skipped: EVONAS_DATA names no folder, expected one that has the data named above.\n")
    made = []
    for name in options.tasks:
        task = TASKS[name]
        if not (Path(root) / task.source).exists():
            print(f"{name}: skipped, {root} has no {task.source}.")
            continue
        minutes = options.minutes or task.minutes
        front, seconds = searched(task, root=Path(root), minutes=minutes, overrides=tuple(options.set))
        made += figures(name, front, part=seconds / (60 * minutes), goal=task.goal)
    publish(made, title=f"searches of {', '.join(options.tasks)}", file=options.json)


if __name__ == "__main__":
    main()
