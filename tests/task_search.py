"""A short search with a task of one's own, of networks that are really trained."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from evonas.archive.archive import Archive
from evonas.archive.pareto_front import Front
from evonas.data.search_data import SearchData
from evonas.engine.budget import Budget
from evonas.engine.ladder import Ladder
from evonas.engine.search import search
from evonas.engine.workers import InlineWorkers
from evonas.objective import Objective
from evonas.space import Space
from evonas.strategies.evolution import Evolution
from evonas.task import Metric
from evonas.training.trainer import TrainingEvaluator
from evonas.training.training_settings import Training


def searched_for_an_epoch(
    space: Space, data: SearchData, folder: Path, *, metric: Metric, evaluations: int
) -> tuple[list[Any], Front]:
    """Return what was measured, as it is read back, and the front of a metric against spikes."""
    objectives = [metric.objective(), Objective("spikes", lambda measurement: measurement.activity.spikes)]
    evaluate = TrainingEvaluator(space, data, training=Training(epochs=1))
    with Archive(folder / "archive.h5", space, objectives) as archive:
        search(
            space,
            archive,
            strategy=Evolution(),
            workers=InlineWorkers(evaluate),
            budget=Budget(evaluations=evaluations),
            ladder=Ladder(epochs=(1,)),
        )
        front = archive.front()
    return [row.measurement for row in Archive.read(folder / "archive.h5").evaluations], front
