"""Searches that train for real, at equal wall-clock time on one machine: evonas beside the script of a user.

    EVONAS_DATA=FOLDER python benchmarks/real_search.py [--quick] [--data NAME] [--only SIDE] [--seconds N] [--seeds N]
                                                        [--json FILE]

The script (`user_script.py`) is Optuna's NSGA-II over SpikingJelly networks in two processes; evonas searches the joint
space with two workers and a ladder of 1 and 3 epochs. They run one after the other, one thread a worker. Both train on
the same 10,000 images and are judged on the same 2,000 validation images, no test images; the seed draws them.

Data are `fashion-mnist/`, its official idx files, or, with `--data cifar10`, `cifar10-jpeg75.h5`: 50,000 colour images
of CIFAR-10 as JPEG, a lossy copy, so that its errors are not those of CIFAR-10.

Judged are networks of 3 epochs with an error of at most 0.5 (0.8 with `cifar10`), from the moment at which their side
has them on disk. The clock of a side starts after its imports; starting workers and reading data is in it. Operations
are synaptic events, graded events and multiply-accumulates, inputs that are zero left out, at each time step in which
they are computed: the script computes the first convolution of the image at each step, evonas once. Max pooling and
neurons are free; average pooling is counted. Both sides trade what is judged.

    hypervolume_SIDE_T      area under that error and 10^7.5 operations (10^8 with `cifar10`) after T seconds, axes
                            of error and log10 of operations, median of seeds
    networks_SIDE           median number of networks that were trained for 3 epochs within the time
    best_error_SIDE         median over seeds of their least error
    end_SIDE                median of the time of the last network over the time that was asked for
"""

from __future__ import annotations

import argparse
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from all_operations import operations
from real_files import as_it_is, image_arrays
from run_archive import archive_of
from table import Figure, publish

from evonas import Archive
from evonas.data.samples import Samples
from evonas.engine.evaluation import Evaluation
from evonas.engine.unfinished_folder import emptied
from evonas.measurement import Measurement
from evonas.runfile.resolve import resolve

SIDES = ("script", "evonas")
RUN_FILE = """
[search]
space = "spatial_temporal"
evaluations = 1_000_000
seconds = {seconds}
seed = {seed}

[space]
without = ["adaptive", "feedback", "attention"]

[data]
name = "{reader}"
path = {path}
seed = {seed}
limit = {images}
validation_part = 0.16666666666666666   # 10,000 for training, 2,000 for validation

[[objectives]]
name = "accuracy"
at_least = {accuracy}

[[objectives]]
name = "all_operations:objective"

[[strategies]]
name = "evolution"

[ladder]
epochs = [1, 3]

[workers]
count = 2
num_cpus = 1
"""


@dataclass(frozen=True)
class Data:
    """What both sides search on.

    Attributes:
        source: A folder or file of the folder of data.
        reader: `[data] name` of what is made of it.
        prepare: Makes of the source what `[data] path` reads, in a folder of its own, and returns the path of it.
        reference: The most error, and the log10 of the most operations, that count.
    """

    source: str
    reader: str
    prepare: Callable[[Path, Path], Path]
    reference: tuple[float, float]


SETS = {
    "fashion-mnist": Data("fashion-mnist", "images", as_it_is, (0.5, 7.5)),
    "cifar10": Data("cifar10-jpeg75.h5", "array_file", image_arrays, (0.8, 8.0)),
}


@dataclass(frozen=True)
class Network:
    """A network that was trained for 3 epochs.

    Attributes:
        seconds: When it was known, since the start of the search.
        error: On the validation images.
        operations: Log10 of all operations per sample.
    """

    seconds: float
    error: float
    operations: float


class Timed(Archive):
    """An archive that remembers when a row was on disk."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.at: dict[int, float] = {}

    def add(self, evaluation: Evaluation) -> None:
        """Keep a row."""
        super().add(evaluation)
        self.at[evaluation.job.slot] = time.monotonic()


def script(run_file: Path, *, most_error: float, overrides: Sequence[str]) -> list[Network]:
    """Return what the script of a user finds, in processes of its own."""
    import optuna
    from optuna.storages.journal import JournalFileBackend, JournalStorage
    from user_script import STUDY

    data, journal = run_file.with_name("data.npz"), run_file.with_name("journal")
    resolved = resolve(run_file, overrides=overrides)
    parts, asked = resolved.search_data, resolved.file.search
    np.savez(
        data,
        images=_images(parts.train),
        labels=parts.train.labels,
        validation_images=_images(parts.validation),
        validation_labels=parts.validation.labels,
    )
    options = ["--data", data, "--journal", journal, "--seconds", asked.seconds, "--seed", asked.seed,
               "--most-error", most_error]  # fmt: skip
    subprocess.run(
        [sys.executable, str(Path(__file__).with_name("user_script.py")), *map(str, options)],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        check=True,
    )
    study = optuna.load_study(study_name=STUDY, storage=JournalStorage(JournalFileBackend(str(journal))))
    done = study.get_trials(states=[optuna.trial.TrialState.COMPLETE])
    return [Network(trial.user_attrs["seconds"], *trial.values) for trial in done]


def _images(samples: Samples) -> np.ndarray:
    """Return `(samples, channels, height, width)` float32 images."""
    images: np.ndarray = samples.inputs.batch(np.arange(len(samples)), time_steps=1, rng=np.random.default_rng(0))[0]
    return images


def evonas(run_file: Path, *, overrides: Sequence[str]) -> list[Network]:
    """Return what the search of a run file finds."""
    began = time.monotonic()
    resolved = resolve(run_file, overrides=overrides)
    archive = archive_of(resolved, run_file.parent, Timed)
    with archive, emptied(run_file.parent / "unfinished") as unfinished:
        workers = resolved.workers(unfinished=unfinished)
        resolved.search(archive, workers=workers)
        rows = archive.rows
    workers.close()
    print(f"evonas: {len(rows)} rows, {sum(row.is_failure for row in rows)} of them failures", flush=True)
    return [
        Network(archive.at[row.job.slot] - began, 1 - found.accuracy, math.log10(max(operations(found), 1)))
        for row in rows
        if row.job.rung == resolved.top_rung and isinstance(found := row.evaluation.measurement, Measurement)
    ]


def hypervolume(networks: Sequence[Network], *, seconds: float, reference: tuple[float, float]) -> float:
    """Return the area that is dominated up to `reference` by the networks known after `seconds`, not normalised."""
    (error, most), area = reference, 0.0
    for network in sorted(networks, key=lambda network: (network.operations, network.error)):
        if network.seconds <= seconds and network.error < error and network.operations < most:
            area += (error - network.error) * (most - network.operations)
            error = network.error
    return area


def figures(found: dict[str, list[list[Network]]], *, seconds: float, reference: tuple[float, float]) -> list[Figure]:
    """Return the measures that are named at the top of this file, of the networks of each side by seed."""
    made = []
    for side, runs in found.items():
        for time_ in (seconds / 3, seconds):
            areas = [hypervolume(networks, seconds=time_, reference=reference) for networks in runs]
            made.append(Figure(f"hypervolume_{side}_{time_:.0f}", statistics.median(areas), unit="area", goal=None))
        known = [[network for network in networks if network.seconds <= seconds] for networks in runs]
        errors = [min(network.error for network in networks) for networks in known if networks]
        ends = [max(network.seconds for network in networks) / seconds for networks in runs if networks]
        made += [
            Figure(f"best_error_{side}", statistics.median(errors) if errors else None, unit="fraction", goal=None),
            Figure(f"networks_{side}", statistics.median(map(len, known)), unit="networks", goal=None),
            Figure(f"end_{side}", statistics.median(ends) if ends else None, unit="of the time", goal=None),
        ]
    return made


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="1 seed of 30 seconds a side on a tenth of the images")
    parser.add_argument("--seconds", type=float, default=480, help="of each search; a third is judged too")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--data", choices=SETS, default="fashion-mnist", help="of the folder EVONAS_DATA")
    parser.add_argument("--only", choices=SIDES, help="run one side alone")
    parser.add_argument("--set", action="append", default=[], help="section.key=value over the run file")
    parser.add_argument("--json", type=Path, help="write the figures there as well")
    options = parser.parse_args()
    root = os.environ.get("EVONAS_DATA")
    data = SETS[options.data]
    if root is None:
        parser.exit(0, f"Skipped: EVONAS_DATA names no folder, expected one that has {data.source}.\n")
    seconds, seeds, images = (30.0, 1, 1200) if options.quick else (options.seconds, options.seeds, 12_000)
    found: dict[str, list[list[Network]]] = {side: [] for side in SIDES if options.only in (None, side)}
    for seed in range(seeds):
        for side, runs in found.items():
            with tempfile.TemporaryDirectory() as folder:
                file = Path(folder) / "run.toml"
                path = data.prepare(Path(root).absolute() / data.source, Path(folder))
                content = RUN_FILE.format(
                    seconds=seconds,
                    seed=seed,
                    reader=data.reader,
                    path=json.dumps(str(path)),
                    images=images,
                    accuracy=round(1 - data.reference[0], 9),
                )
                file.write_text(content, encoding="utf-8")
                if side == "script":
                    runs.append(script(file, most_error=data.reference[0], overrides=options.set))
                else:
                    runs.append(evonas(file, overrides=options.set))
            area = hypervolume(runs[-1], seconds=seconds, reference=data.reference)
            print(f"seed {seed}, {side}: {len(runs[-1])} networks, area {area:.4f}", flush=True)
    title = f"{options.data}, {images:,} images, {seconds:.0f} s a side, {seeds} seeds"
    publish(figures(found, seconds=seconds, reference=data.reference), title=title, file=options.json)


if __name__ == "__main__":
    main()
