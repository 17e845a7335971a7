"""Spoken digits by voices that no network was trained on: the most accurate network of a run, trained anew.

    python benchmarks/speakers.py results/fsdd data/fsdd [--epochs N] [--json FILE]

The network is trained as in the run, once for the official test (recordings 0 to 4 of each speaker and digit), and
once for each speaker, without any recording of this voice, and asked all of them. It was chosen by its accuracy on
validation recordings of all voices.

    official_test            accuracy on recordings of voices that it was trained on
    held_out_SPEAKER         accuracy on a voice that it was not trained on
    held_out_mean            mean of these
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from statistics import mean
from typing import Any

from table import Figure, publish

import evonas
from evonas.data import sound
from evonas.engine.job import Job
from evonas.training.trainer import TrainingEvaluator
from evonas.training.training_settings import Training
from spaces.recurrent import space

PATTERN = "{label}_{speaker}_{index}.wav"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path, help="folder of a run of runs/fsdd.toml")
    parser.add_argument("data", type=Path, help="folder of the WAV files")
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--json", type=Path, help="write the figures there as well")
    options = parser.parse_args()
    rows: list[Any] = [row for row in evonas.load(options.results).rows if row.evaluation.measurement is not None]
    genotype = space.genotype(dict(max(rows, key=lambda row: row.evaluation.measurement.accuracy).job.genotype))
    job = Job(0, "evaluate", genotype, "benchmark", epochs=options.epochs)
    figures = [Figure("official_test", accuracy(job, options.data, test_below=5), "fraction", None)]
    for speaker in sorted({file.name.split("_")[1] for file in options.data.glob("*_*_*.wav")}):
        value = accuracy(job, options.data, held_out_speakers=[speaker])
        figures.append(Figure(f"held_out_{speaker}", value, "fraction", None))
        print(figures[-1], flush=True)
    held_out = mean(figure.value or 0.0 for figure in figures[1:])
    publish([*figures, Figure("held_out_mean", held_out, "fraction", None)], title="Speakers", file=options.json)


def accuracy(job: Job, folder: Path, **options: Any) -> float:
    """Return the accuracy on the test of data that are read with these options."""
    data = sound.read(path=str(folder), pattern=PATTERN, **options)
    tested = replace(data.for_search(), validation=data.test())
    result: Any = TrainingEvaluator(space, tested, training=Training(epochs=job.epochs))(job)
    return float(result.measurement.accuracy)


if __name__ == "__main__":
    main()
