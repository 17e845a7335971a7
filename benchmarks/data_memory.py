"""What data take: seconds to load 60,000 images, and memory of a search with four workers that all read them.

    [EVONAS_DATA=DIR] python benchmarks/data_memory.py [--repeats N] [--json FILE]

The images are Fashion-MNIST from `DIR/fashion-mnist` where that is there, else random ones in the same files. Memory is
the proportional set size (a page shared by n processes counts 1/n in each) of the whole search: this process, Ray and
its workers, each of which made its evaluator and read every sample once. The same search of few images is subtracted.

    load_seconds             reading, splitting and the fingerprint of 60,000 images
    memory_of_data           memory of the data in the whole search, over their bytes in the type in which they came
    memory_of_a_worker       what a worker takes without data: its base, in MB
"""

from __future__ import annotations

import argparse
import os
import struct
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from table import Figure, publish

from evonas.data import images
from evonas.engine.attempt import Evaluate
from evonas.engine.job import Job
from evonas.genotype import Genotype
from evonas.runfile.resolve import resolve

WORKERS, IMAGES, FEW = 4, 60_000, 200
NAMES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")
RUN = """
[search]
space = "spatial_temporal"
evaluations = 4
[space]
without = ["adaptive", "feedback", "attention"]
[[objectives]]
name = "accuracy"
[[objectives]]
name = "spikes"
[[strategies]]
name = "random"
[workers]
count = 4
num_cpus = 0.25
[data]
name = "images"
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--json", type=Path, help="write the figures there as well")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = folder_of_images(Path(scratch))
        seconds = [load_seconds(folder) for _ in range(options.repeats)]
        ratios, bases = [], []
        for _ in range(options.repeats):
            base, base_worker, few = memory(folder, Path(scratch), limit=FEW)
            whole, _, every = memory(folder, Path(scratch), limit=IMAGES)
            ratios.append((whole - base) / (every - few))
            bases.append(base_worker / 1e6)
            print(f"{whole / 1e6:.0f} MB - {base / 1e6:.0f} MB for {(every - few) / 1e6:.1f} MB of data", flush=True)
    figures = [
        Figure("load_seconds", median(seconds), unit="s", goal="<= 1.5"),
        Figure("memory_of_data", median(ratios), unit="x", goal="<= 1.3"),
        Figure("memory_of_a_worker", median(bases), unit="MB", goal=None),
    ]
    publish(figures, title=f"{IMAGES:,} images of {folder.name}, {WORKERS} workers", file=options.json)


def folder_of_images(scratch: Path) -> Path:
    """Return the folder of Fashion-MNIST, else one of random images in the same files."""
    real = Path(os.environ.get("EVONAS_DATA", "")) / "fashion-mnist"
    if "EVONAS_DATA" in os.environ and real.is_dir():
        return real
    rng, folder = np.random.default_rng(0), scratch / "random"
    folder.mkdir()
    for part, count in ((0, IMAGES), (2, IMAGES // 6)):
        for name, array in (
            (NAMES[part], rng.integers(256, size=(count, 28, 28))),
            (NAMES[part + 1], np.arange(count) % 10),
        ):
            header = struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape)
            (folder / name).write_bytes(header + array.astype(np.uint8).tobytes())
    return folder


def load_seconds(folder: Path) -> float:
    """Return what it takes until a search could begin."""
    began = time.perf_counter()
    _ = images.read(path=str(folder)).for_search().fingerprint
    return time.perf_counter() - began


def memory(folder: Path, scratch: Path, *, limit: int) -> tuple[float, float, int]:
    """Return the bytes of a whole search, those of the median worker alone, and those of its data."""
    from evonas.engine.ray_workers import RayWorkers

    path = scratch / "run.toml"
    path.write_text(RUN)
    run = resolve(path, overrides=[f"data.path={folder}", f"data.limit={limit}"])
    size = sum(part.inputs.values.nbytes for part in (run.search_data.train, run.search_data.validation))  # type: ignore[attr-defined]
    workers = RayWorkers(Reading(run.make_evaluate()), count=WORKERS, num_cpus=0.25, sent=run.data.let_go)
    found: dict[int, float] = {}
    for slot in range(WORKERS):
        workers.start(Job(slot, "evaluate", Genotype({"a": slot}), "benchmark"))
    for _ in range(WORKERS):
        row = workers.next()
        if not isinstance(row.measurement, dict):
            raise RuntimeError(row.message)
        found[int(row.measurement["process"])] = row.measurement["own"]
    whole = sum(map(proportional_set_size, {os.getpid(), *descendants(os.getpid())}))
    workers.close()
    return whole, median(found.values()), size


@dataclass(frozen=True)
class Reading:
    """Makes the evaluator of a run, and then only reads every sample, as batches of a training do."""

    make: Any

    def __call__(self) -> Evaluate:
        """Return a function of a job that reads all samples and says what memory its process has to itself."""
        evaluate, data = self.make(), self.make.data.get()

        def read(job: Job) -> dict[str, float]:
            for part in (data.train, data.validation):
                for index in np.array_split(np.arange(len(part)), max(1, len(part) // 256)):
                    part.inputs.batch(index, time_steps=1, rng=np.random.default_rng(0))
            time.sleep(3)  # until all workers are at it
            assert callable(evaluate)
            return {
                "process": float(os.getpid()),
                "own": float(_bytes_of(os.getpid(), ("Private_Clean", "Private_Dirty"))),
            }

        return read


def proportional_set_size(process: int) -> float:
    return _bytes_of(process, ("Pss",))


def _bytes_of(process: int, keys: tuple[str, ...]) -> float:
    try:
        lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):  # it has ended meanwhile
        return 0.0
    fields = [line.split() for line in lines[1:]]
    return sum(1024.0 * int(field[1]) for field in fields if field[0].rstrip(":") in keys)


def descendants(process: int) -> set[int]:
    """Return all processes below one."""
    parents = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parents[int(folder.name)] = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
        except (FileNotFoundError, ProcessLookupError):
            continue
    found: set[int] = set()

    while (below := {one for one, parent in parents.items() if parent in found | {process}}) != found:
        found = below
    return found


if __name__ == "__main__":
    main()
