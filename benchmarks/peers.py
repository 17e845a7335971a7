"""Who evonas is compared with: each returns the rows of a problem's table in the order in which they were evaluated."""

from __future__ import annotations

import math
import warnings
from collections import deque
from collections.abc import Mapping
from typing import Any

import numpy as np
from pymoo.algorithms.moo.nsga2 import NSGA2, binary_tournament
from pymoo.core.mixed import MixedVariableDuplicateElimination, MixedVariableMating, MixedVariableSampling
from pymoo.core.problem import ElementwiseProblem
from pymoo.core.variable import Choice as PymooChoice
from pymoo.core.variable import Integer as PymooInteger
from pymoo.core.variable import Real as PymooReal
from pymoo.operators.selection.tournament import TournamentSelection
from pymoo.optimize import minimize
from tabulated import Tabulated

from evonas.engine.evaluation import Evaluation, Outcome
from evonas.engine.job import Job
from evonas.engine.search import Budget, search
from evonas.engine.view import Row, Strategy
from evonas.objective import Objective
from evonas.variables import Choice, Integer, LogReal, Real


class TableMemory:
    """The memory of one search: rows in a dictionary."""

    def __init__(self, objectives: list[Objective], *, seed: int) -> None:
        self.objectives = tuple(objectives)
        self.seed = seed
        self.rows: dict[int, Row] = {}

    def add(self, evaluation: Evaluation) -> None:
        """Keep a row and its score."""
        self.rows[evaluation.job.slot] = Row.of(evaluation, self.objectives)

    def get(self, slot: int) -> Row | None:
        """Return the row of a slot, or None."""
        return self.rows.get(slot)


class TableWorkers:
    """Workers that look the costs up."""

    def __init__(self, problem: Tabulated) -> None:
        self.points: list[int] = []
        self._problem = problem
        self._jobs: deque[Job] = deque()

    def start(self, job: Job) -> None:
        """Queue a job."""
        self._jobs.append(job)

    def next(self) -> Evaluation:
        """Return the evaluation of the oldest job."""
        job = self._jobs.popleft()
        point = self._problem.index(job.genotype)
        self.points.append(point)
        costs = {f"f{i}": float(cost) for i, cost in enumerate(self._problem.costs[point])}
        return Evaluation(job, Outcome.MEASURED, measurement=costs)

    def close(self) -> None:
        """Nothing to give back."""


def evonas(problem: Tabulated, strategy: Strategy, *, evaluations: int, seed: int, parallel: int) -> np.ndarray:
    """Return `(evaluations,)` rows as evonas evaluates them with `strategy`."""
    workers = TableWorkers(problem)
    search(
        problem.space,
        TableMemory(problem.objectives, seed=seed),
        strategy=strategy,
        workers=workers,
        budget=Budget(evaluations),
        parallel=parallel,
    )
    return np.array(workers.points)


def pymoo(problem: Tabulated, *, pop_size: int, evaluations: int, seed: int) -> np.ndarray:
    """Return `(evaluations,)` rows as pymoo's NSGA2 evaluates them with its operators for mixed variables.

    Its generations are evaluated whole, so that any number of workers up to `pop_size` gives the same rows. Real
    variables are handed over as such, those with a logarithmic axis as their logarithm.
    """
    points: list[int] = []

    class Table(ElementwiseProblem):
        def _evaluate(self, x: Mapping[str, Any], out: dict[str, Any], *args: Any, **kwargs: Any) -> None:
            values = {
                key: math.exp(x[key]) if isinstance(variable, LogReal) else x[key]
                for key, variable in problem.space.variables.items()
            }
            points.append(problem.index(problem.space.canonical(values)))
            out["F"] = problem.costs[points[-1]]

    variables: dict[str, Any] = {}
    for key, variable in problem.space.variables.items():
        match variable:
            case Choice():
                variables[key] = PymooChoice(options=np.array(variable.values))
            case Integer():
                variables[key] = PymooInteger(bounds=(variable.low, variable.high))
            case LogReal():
                variables[key] = PymooReal(bounds=(math.log(variable.low), math.log(variable.high)))
            case Real():
                variables[key] = PymooReal(bounds=(variable.low, variable.high))
    minimize(
        Table(vars=variables, n_obj=problem.costs.shape[1]),
        NSGA2(
            pop_size=pop_size,
            sampling=MixedVariableSampling(),
            mating=MixedVariableMating(
                selection=TournamentSelection(func_comp=binary_tournament),
                eliminate_duplicates=MixedVariableDuplicateElimination(),
            ),
            eliminate_duplicates=MixedVariableDuplicateElimination(),
        ),
        ("n_eval", evaluations),
        seed=seed,
    )
    return np.array(points[:evaluations])


def optuna(problem: Tabulated, *, pop_size: int, evaluations: int, seed: int, parallel: int) -> np.ndarray:
    """Return `(evaluations,)` rows as Optuna's NSGA-II evaluates them, `parallel` trials open at once."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        sampler = optuna.samplers.NSGAIISampler(population_size=pop_size, seed=seed)
        study = optuna.create_study(directions=["minimize"] * problem.costs.shape[1], sampler=sampler)
    points: list[int] = []
    running: deque[tuple[Any, int]] = deque()
    for _ in range(evaluations):
        if len(running) == parallel:
            trial, point = running.popleft()
            study.tell(trial, problem.costs[point].tolist())
        trial = study.ask()
        points.append(problem.index(problem.space.canonical(_suggest(trial, problem))))
        running.append((trial, points[-1]))
    return np.array(points)


def _suggest(trial: Any, problem: Tabulated) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for key, variable in problem.space.variables.items():
        match variable:
            case Choice():
                values[key] = trial.suggest_categorical(key, list(variable.values))
            case Integer():
                values[key] = trial.suggest_int(key, variable.low, variable.high)
            case LogReal():
                values[key] = trial.suggest_float(key, variable.low, variable.high, log=True)
            case Real():
                values[key] = trial.suggest_float(key, variable.low, variable.high, step=variable.step)
    return values
