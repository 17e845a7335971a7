"""Folders of runs whose networks are counted by hand, so that chips price them and nothing is trained."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import tomli_w
from counted import small

from evonas.archive.archive import Archive
from evonas.engine.evaluation import Evaluation, Outcome
from evonas.engine.job import Job
from evonas.measurement import Activity, Measurement
from evonas.runfile.form import parse
from evonas.runfile.objective_sections import objectives_of
from evonas.space import Space
from evonas.variables import Choice

SPACE = Space({"a": Choice(range(100))})
RUN: dict[str, Any] = {
    "search": {"space": "spatial_temporal", "evaluations": 3},
    "data": {"name": "digits"},
    "objectives": [{"name": "accuracy"}, {"name": "energy", "profile": "loihi1_davies"}],
    "strategies": [{"name": "random"}],
    "ladder": {"epochs": [1]},
}


def busy(factor: int) -> Activity:
    """Return the counts of the small network whose second layer delivers so many times the events."""
    event = small().connections[1]
    event = replace(event, events=tuple(factor * count for count in event.events))
    return replace(small(), connections=(small().connections[0], event))


NETWORKS = [(0.5, busy(1)), (0.9, busy(20)), (0.4, busy(40))]
"""Accuracies and counts: two networks of the front, and one that both dominate."""


def write_priced_run(
    folder: Path, *, networks: Sequence[tuple[float, Activity]] = NETWORKS, seed: int = 0, **sections: Any
) -> Path:
    """Write a run of measured networks into a folder, and return it. `sections` replace those of its run file."""
    document = {**RUN, **sections}
    document["search"] = {**document["search"], "seed": seed}
    folder.mkdir()
    (folder / "run.toml").write_text(tomli_w.dumps(document))
    file, faults = parse(document)
    assert file is not None, faults
    objectives, faults = objectives_of(file.objectives)
    assert not faults
    archive = Archive(folder / "archive.h5", SPACE, objectives, seed=seed, settings=file.settings(), reference_rows=2)
    with archive:
        for slot, (accuracy, activity) in enumerate(networks):
            metrics = {"accuracy": accuracy, "loss": 1.0}
            measurement = Measurement(metrics, activity.samples, 30, activity.time_steps, False, activity)
            job = Job(slot, "evaluate", SPACE.genotype({"a": slot}), "random")
            archive.add(Evaluation(job, Outcome.MEASURED, measurement=measurement))
    return folder
