"""evonas finds spiking neural networks for real hardware: accuracy against spikes and energy on a chosen chip.

The engine searches anything; these names are all that a search of one's own needs, and none of them imports torch:

    what may vary     Space, Choice, Integer, Real, LogReal, Rule, Genotype
    what is traded    Objective
    what proposes     Evolution, Differentiable, ZeroShot, OneShot, RandomSearch, Mixture
    who evaluates     InlineWorkers, RayWorkers, SimulatedWorkers
    what is kept      Archive, load, Job, Evaluation, Measurement, Activity, Outcome
    what is rejected  Rejection
    the search        search, Budget, Ladder, Cost
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from evonas.archive.archive import Archive
from evonas.engine.budget import Budget
from evonas.engine.evaluation import Evaluation, Outcome
from evonas.engine.job import Cost, Job
from evonas.engine.ladder import Ladder
from evonas.engine.rejection import Rejection
from evonas.engine.search import search
from evonas.engine.workers import InlineWorkers, SimulatedWorkers
from evonas.genotype import Genotype
from evonas.measurement import Activity, Measurement
from evonas.objective import Objective
from evonas.real_variables import LogReal, Real
from evonas.rule import Rule
from evonas.space import Space
from evonas.strategies.differentiable import Differentiable
from evonas.strategies.evolution import Evolution
from evonas.strategies.mixture import Mixture
from evonas.strategies.one_shot import OneShot
from evonas.strategies.random import RandomSearch
from evonas.strategies.zero_shot import ZeroShot
from evonas.variables import Choice, Integer

if TYPE_CHECKING:
    from evonas.engine.ray_workers import RayWorkers
    from evonas.report.run import load

__all__ = [
    "Activity",
    "Archive",
    "Budget",
    "Choice",
    "Cost",
    "Differentiable",
    "Evaluation",
    "Evolution",
    "Genotype",
    "InlineWorkers",
    "Integer",
    "Job",
    "Ladder",
    "LogReal",
    "Measurement",
    "Mixture",
    "Objective",
    "OneShot",
    "Outcome",
    "RandomSearch",
    "RayWorkers",
    "Real",
    "Rejection",
    "Rule",
    "SimulatedWorkers",
    "Space",
    "ZeroShot",
    "load",
    "search",
]


def __getattr__(name: str) -> Any:
    # importing Ray takes seconds, so it waits until somebody asks for its workers
    if name == "RayWorkers":
        from evonas.engine.ray_workers import RayWorkers

        return RayWorkers
    if name == "load":  # what reads results knows run files and chips, which a search of one's own does without
        from evonas.report.run import load

        return load
    raise AttributeError(f"module 'evonas' has no attribute {name!r}")
