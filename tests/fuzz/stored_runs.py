"""Archives to be damaged: small ones of every kind of row."""

from __future__ import annotations

import shutil
from pathlib import Path

from counted import analog, graded, small
from toys import OBJECTIVES, measure_badly, mixed_space

from evonas import Archive, Budget, Evolution, InlineWorkers, Measurement, Objective, search
from evonas.archive.results import Results
from evonas.engine.job import Job

MEASURED = (
    Objective("accuracy", lambda measurement: measurement.accuracy, direction="max"),
    Objective("spikes", lambda measurement: measurement.activity.spikes, direction="min", log=True),
)
"""Objectives of networks that are measured with all their counts."""


def measured(job: Job) -> Measurement:
    """Return a measurement with counts by layer and time step."""
    activity = (small, graded, analog)[int(job.genotype.key, 16) % 3]()
    return Measurement(
        {"accuracy": job.genotype["layers"] / 10, "loss": 0.5}, 10, 40 + job.genotype["layers"], 2, False, activity
    )


KINDS = {"plain": (measure_badly, OBJECTIVES), "measured": (measured, MEASURED)}


def at_rest(folder: Path, kind: str) -> Path:
    """Return the file of an archive that was closed."""
    path = folder / f"{kind}.h5"
    evaluate, objectives = KINDS[kind]
    space = mixed_space()
    with Archive(path, space, objectives, seed=3) as archive:
        search(
            space,
            archive,
            strategy=Evolution(pop_size=6),
            workers=InlineWorkers(evaluate),
            budget=Budget(evaluations=24),
        )
    return path


def while_running(folder: Path, kind: str) -> Path:
    """Return the file of an archive beside which a journal lies, as a killed process leaves it."""
    path = folder / f"{kind}_running.h5"
    evaluate, objectives = KINDS[kind]
    space = mixed_space()
    archive = Archive(path, space, objectives, seed=3)
    search(
        space, archive, strategy=Evolution(pop_size=6), workers=InlineWorkers(evaluate), budget=Budget(evaluations=24)
    )
    kept = folder / f"{kind}_journal"
    shutil.copy(journal_of(path), kept)
    archive.close()
    path.unlink()
    shutil.move(kept, journal_of(path))
    return path


def journal_of(path: Path) -> Path:
    """Return the journal beside an archive."""
    return path.with_name(f"{path.name}.journal")


def told_by(results: Results) -> str:
    """Return everything that a reader can learn of results, as a text to compare."""
    rows = [repr((row.evaluation, row.costs, row.score)) for row in results.rows]
    return "\n".join([repr(results.header), repr(results.reference), *rows, results.front().to_json()])
